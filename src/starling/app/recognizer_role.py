"""``starling recognizer``: one among others, on Redis. It takes its share of the sessions, and tells over HTTP how it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from starling.app.attendant import ROW
from starling.app.bus import Bus
from starling.app.kafka import kafka_cluster, recognizer_side
from starling.app.options import log_options
from starling.app.recognition import recognition, watch_lag
from starling.app.redis import BUS, LOOK, redis_facts, redis_link, watch_link
from starling.app.status_page import StatusPage
from starling.app.tracing import tracing
from starling.app.unwrapping import unwrapped
from starling.bus.redis.link import Link
from starling.bus.redis.sides import RecognizerSide
from starling.config.settings import Settings
from starling.core.audio import seconds
from starling.core.ports import Capabilities
from starling.supervisor.sheets import SharedWitness, Sheets
from starling.telemetry.clock import SystemClock
from starling.telemetry.health import Health, State
from starling.telemetry.logs import configure_logging, get_logger
from starling.telemetry.metrics import Metrics
from starling.telemetry.status import INSTANCE, audio_queue, report

log = get_logger(__name__)

HANDOVER: Final = 2.0
"""Seconds that giving the partitions back may take, and as many that what is under way may."""

ENGINE: Final = "engine"
PARTITIONS: Final = "partitions"
LAG: Final = "lag"


@dataclass(frozen=True, slots=True)
class Recognizing:
    """A recognizer at work. ``url``: where it tells of itself."""

    url: str
    health: Health


@asynccontextmanager
async def recognizing(settings: Settings, sheets: Sheets | None = None) -> AsyncIterator[Recognizing]:
    """A recognizer for as long as the block runs; at its end others go on with its sessions.

    ``sheets``: where its attendant looks for what it works on, if it has one.
    Raises StarlingError when it cannot start.
    """
    with unwrapped():
        async with _composed(settings, sheets) as recognizer:
            yield recognizer
        log.info("stopped")


@asynccontextmanager
async def _composed(settings: Settings, sheets: Sheets | None) -> AsyncIterator[Recognizing]:
    metrics, clock, health = Metrics(), SystemClock(), Health(ENGINE, BUS, PARTITIONS, LAG)
    configure_logging(log_options(settings), metrics=metrics, process="recognizer")

    def moved(how: str, count: int) -> None:
        metrics.partitions_moved.labels(how=how).inc(count)

    async with (
        redis_link(settings) as link,
        kafka_cluster(settings) as cluster,
        recognizer_side(link, cluster, INSTANCE, clock.now, moved) as side,
    ):
        metrics.partitions_held.set_function(lambda: len(side.tenure.held))
        model: list[Capabilities] = []

        def status() -> dict[str, Any]:
            held = sorted(side.tenure.held)
            told = report(
                "recognizer",
                metrics,
                health,
                queue=audio_queue(seconds(side.audio_log.lag()), settings.limits.max_lag_seconds),
                model=model[0] if model else None,
            )
            counts = {"clients": side.audio_log.sessions, "chunks": side.audio_log.taken, "results": side.results.published}
            return told | counts | {"bus": redis_facts(link, cluster) | {"held": held}, "recognizers": list(side.tenure.alive)}

        page = StatusPage(health, metrics, status)
        async with page.listening(settings.bus.status_host, settings.bus.status_port) as url:
            bus = Bus(audio_log=side.audio_log, results=side.results, board=side.board)
            witness = None if sheets is None else SharedWitness(sheets, ROW, suspects=side.audio_log.suspects)
            async with (
                tracing(settings, metrics, "recognizer") as tracer,
                recognition(
                    settings, bus=bus, clock=clock, metrics=metrics, worker_id=INSTANCE, witness=witness, tracer=tracer
                ) as recognizer,
            ):
                await recognizer.decode(recognizer.warm_up)
                model.append(recognizer.capabilities)
                await link.command("SET", f"{link.prefix}capabilities", msgspec.json.encode(recognizer.capabilities))
                health.set(ENGINE, State.OK)
                async with asyncio.TaskGroup() as tasks:
                    working = tasks.create_task(recognizer.worker.run(), name="recognizer")
                    probe = tasks.create_task(watch_lag(metrics, clock), name="event loop probe")
                    watching = tasks.create_task(_watch(health, side, settings.limits.max_lag_seconds), name="health")
                    looking = tasks.create_task(watch_link(link, health, metrics, cluster), name="bus")
                    holding = tasks.create_task(side.tenure.run(), name="tenure")
                    log.info("recognizing", bus=link.address, instance=INSTANCE, status=url)
                    try:
                        yield Recognizing(url, health)
                    finally:
                        health.drain("the recognizer is shutting down")
                        for task in (looking, watching, holding):
                            task.cancel()
                        await asyncio.wait((looking, watching, holding), timeout=HANDOVER)
                        await _finish(side, link, working)
                        probe.cancel()


async def _watch(health: Health, side: RecognizerSide, most: float) -> None:
    """Say whether this recognizer has its share, and keeps up."""
    while True:
        if side.tenure.settled:
            health.set(PARTITIONS, State.OK)
        else:
            health.set(PARTITIONS, State.STARTING, "no partitions yet")
        behind = seconds(side.audio_log.lag())
        health.set(LAG, *((State.OK, "") if behind <= most else (State.STARTING, f"{behind:.0f} s of audio behind")))
        await asyncio.sleep(LOOK)


async def _finish(side: RecognizerSide, link: Link, working: asyncio.Task[None]) -> None:
    """Let go of all sessions, and of whatever cannot be said any more."""
    await side.audio_log.close()
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(working), HANDOVER)
        return
    await link.close()
    working.cancel()
