"""``starling transcribe`` on this machine: in this process, or in one for each recording, all of which share one model."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from starling.app.options import log_options
from starling.app.scribes import CopiedScribes, scribes
from starling.audio import Recording
from starling.cli.progress import Bars, bars
from starling.cli.recorded import seekable
from starling.cli.recorded import source as opened
from starling.cli.transcribing import Job, Outcome, damages, failure
from starling.cli.transcripts import said_here
from starling.config.groups.jobs import Jobs as SettingsOfJobs
from starling.config.groups.telling import Log
from starling.config.settings import Settings
from starling.core.audio import Samples
from starling.core.config import SessionConfig
from starling.core.errors import StarlingError
from starling.core.jobs import Channels, JobSegment
from starling.engine.moonshine import MoonshineEngine
from starling.session.options import SegmentationOptions
from starling.telemetry.clock import SystemClock
from starling.telemetry.logs import LogLevel, configure_logging
from starling.transcriber.ahead import ahead
from starling.transcriber.channel import Tools
from starling.transcriber.damage import damage
from starling.transcriber.findings import Task
from starling.transcriber.messages import Order, Told
from starling.transcriber.ports import NoScribe, Undone
from starling.transcriber.transcribing import blocks_of, transcribe
from starling.vad.detector import Detector
from starling.vad.gate import GateOptions

AHEAD: Final = 30
"""Seconds of a recording that are decoded before they are wanted."""

UNBOUNDED: Final = float("inf")
"""Seconds of a recording: one's own files may be as long as they like."""


def load_tools() -> Tools:
    """What recordings are heard with. Raises ModelUnavailable."""
    return Tools(engine=MoonshineEngine.load(), vad=Detector(), segmentation=SegmentationOptions(), gate=GateOptions())


def in_turn(
    jobs: Sequence[Job], config: SessionConfig, channels: Channels, done: Callable[[Job, Outcome], None], *, debug: bool
) -> None:
    """Do one job after the other in this process. ``done`` is told of each."""
    tools = load_tools()
    try:
        for job in jobs:
            with bars(1) as shown:
                outcome = _heard(job, config, channels, tools, shown, debug=debug)
            done(job, outcome)
    finally:
        tools.engine.close()
        tools.vad.close()


def _heard(job: Job, config: SessionConfig, channels: Channels, tools: Tools, shown: Bars, *, debug: bool) -> Outcome:
    found: list[JobSegment] = []
    problem, taken = None, 0.0
    task = Task(job_id="local", config=config, channels=channels, max_duration=UNBOUNDED)
    try:
        with (
            Recording(opened(job.source)) as recording,
            shown.bar(Path(job.source).name, recording.duration) as advance,
            _blocks(job, recording, channels) as blocks,
        ):
            for heard in transcribe(blocks, task, tools):
                found += [segment for one in heard.found for segment in one.segments]
                taken = heard.taken
                advance(taken)
            warnings = damage(
                taken=taken,
                promised=recording.promised,
                lost=recording.lost,
                broke=None,
                speech=bool(found),
                unfinished=recording.unfinished,
            )
            problem = damages(job.source, [(one.code, one.message) for one in warnings])
    except (StarlingError, OSError) as error:
        problem = failure(job.source, error, debug=debug)
    return Outcome(said_here(found, channels), problem)


@contextmanager
def _blocks(job: Job, recording: Recording, channels: Channels) -> Iterator[Iterator[Sequence[Samples]]]:
    blocks = blocks_of(recording, channels)
    if Path(job.source).is_file():
        with ahead(blocks, depth=AHEAD) as read:
            yield read
    else:  # a thread that waits for a pipe could not be left
        yield blocks


async def side_by_side(
    jobs: Sequence[Job],
    config: SessionConfig,
    channels: Channels,
    done: Callable[[Job, Outcome], None],
    *,
    count: int,
    debug: bool,
) -> None:
    """Do ``count`` jobs at once, each in a process of its own. ``done`` is told of each, in their order.

    Raises ModelUnavailable. A recording that ends its process is that job's failure.
    """
    settings = Settings(log=Log(level=LogLevel.ERROR), jobs=SettingsOfJobs(idle_only=False))
    configure_logging(log_options(settings))
    places = asyncio.Semaphore(count)
    async with scribes(settings, SystemClock()) as copies:
        await copies.ready()
        with bars(len(jobs)) as shown:

            async def transcribed(job: Job) -> Outcome:
                async with places:
                    return await _dictated(job, config, channels, copies, shown, debug=debug)

            async with asyncio.TaskGroup() as tasks:
                outcomes = [tasks.create_task(transcribed(job)) for job in jobs]
                for job, outcome in zip(jobs, outcomes, strict=True):
                    done(job, await outcome)


async def _dictated(
    job: Job, config: SessionConfig, channels: Channels, copies: CopiedScribes, shown: Bars, *, debug: bool
) -> Outcome:
    found: list[JobSegment] = []
    problem = None
    try:
        with closing(await asyncio.to_thread(seekable, job.source)) as file, shown.bar(Path(job.source).name, None) as advance:
            order = Order(
                job_id="local",
                trace_id="",
                config=config,
                channels=channels,
                checkpoints=(),
                max_duration=UNBOUNDED,
                size=file.seek(0, os.SEEK_END),
            )

            async def told(news: Told) -> None:
                found.extend(segment for one in news.found for segment in one.segments)
                advance(news.done)

            over = await copies.transcribe(order, file, told)
            problem = damages(job.source, [(one.code, one.message) for one in over.warnings])
    except (StarlingError, OSError) as error:
        problem = failure(job.source, error, debug=debug)
    except (Undone, NoScribe) as error:
        problem = f"{job.source}: {error.error.message if isinstance(error, Undone) else error}"
    return Outcome(said_here(found, channels), problem)
