"""A transcriber: jobs from the store, recordings from where they are kept, scribes to do them."""

from __future__ import annotations

import asyncio
import os
import platform
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starling.app.jobs import check_answering, open_job_store, open_recordings, retaining
from starling.app.lookout import ENGINE, STORE, Lookout
from starling.app.scribes import scribes
from starling.app.tracing import tracing
from starling.config.settings import Settings
from starling.core.ports import Clock
from starling.telemetry.health import Health, State
from starling.telemetry.logs import get_logger
from starling.telemetry.metrics import Metrics
from starling.transcriber.options import TranscriberOptions
from starling.transcriber.ports import Ports
from starling.transcriber.transcriber import Transcriber

log = get_logger(__name__)


def transcriber_options(settings: Settings, slots: int) -> TranscriberOptions:
    """The transcriber's share of the settings."""
    chosen = settings.jobs
    return TranscriberOptions(
        slots=slots,
        express=chosen.express,
        max_duration=chosen.max_hours * 3600,
        lease=chosen.lease,
        first_delay=chosen.retry_wait,
    )


@dataclass(frozen=True, slots=True)
class Transcribing:
    """A transcriber at work. ``running``: its task, which ends only by an error. ``health``: of its parts."""

    running: asyncio.Task[None]
    health: Health
    lookout: Lookout


@asynccontextmanager
async def transcribing(
    settings: Settings, slots: int, *, clock: Clock, metrics: Metrics, eager: bool = False
) -> AsyncIterator[Transcribing]:
    """A transcriber for as long as the block runs; at its end it gives back the jobs that it has.

    ``eager``: the store must answer now, and models are loaded now, not for the first job. Raises StarlingError when it cannot
    start.
    """
    name = f"{platform.node()}-{os.getpid()}"
    health = Health(ENGINE, STORE)
    store = open_job_store(settings)
    try:
        if eager:
            await check_answering(store, settings.jobs.store)
        recordings = open_recordings(settings)
        async with (
            tracing(settings, metrics, "transcriber") as tracer,
            scribes(settings, clock, slots) as copied,
            retaining(settings, store, recordings, worker=name),
        ):
            if eager:
                await copied.ready()
            health.set(ENGINE, State.OK)
            ports = Ports(
                store=store,
                recordings=recordings,
                scribes=copied,
                metrics=metrics,
                time=time.time,
                draw=random.SystemRandom().random,
                tracer=tracer,
            )
            transcriber = Transcriber(name, transcriber_options(settings, slots), ports)
            running = asyncio.create_task(transcriber.run(), name="transcriber")
            lookout = Lookout(store, health, metrics, slots=slots)
            looking = asyncio.create_task(lookout.run(), name="lookout")
            log.info("transcribing", worker=name, slots=slots)
            try:
                yield Transcribing(running, health, lookout)
            finally:
                running.cancel()
                looking.cancel()
                await asyncio.wait([running, looking])
                await recordings.close()
    finally:
        await store.close()
