"""``starling transcribe --server``: recordings are handed to a server, which keeps them as jobs."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import BinaryIO, Final, cast

from starling.cli.live import Credentials
from starling.cli.progress import Bars, bars
from starling.cli.recorded import STANDARD_INPUT, source
from starling.cli.transcribing import Job, Outcome, failure
from starling.cli.transcripts import said_there
from starling.client.jobs import Jobs
from starling.client.options import Options, session_config
from starling.client.task import JobOptions, Task
from starling.core.errors import InvalidOption, Overloaded, StarlingError
from starling.core.jobs import Channels, JobStatus

UNKNOWN_THERE: Final = ("endpoint_silence", "finished_silence", "vad")
"""Options that a server has one value of, for all recordings."""


def job_options(options: Options, channels: Channels) -> JobOptions:
    """``options`` as a server takes them of a recording. Raises InvalidOption for one that it does not take, or out of range."""
    config = session_config(options)
    for name in UNKNOWN_THERE:
        if name in options:
            raise InvalidOption(f"--{name.replace('_', '-')} is the server's own for recordings: leave it out with --server")
    chosen: JobOptions = {"channels": channels, "words": config.words}
    if "language" in options:
        chosen["language"] = config.language
    if "quality" in options:
        chosen["quality"] = config.quality
    if config.hotwords:
        chosen["hotwords"] = list(config.hotwords)
    return chosen


async def at_a_server(
    jobs: Sequence[Job],
    options: JobOptions,
    channels: Channels,
    done: Callable[[Job, Outcome], None],
    *,
    url: str,
    credentials: Credentials,
    count: int,
    debug: bool,
) -> None:
    """Have ``count`` jobs at once at the server of ``url``. ``done`` is told of each, in their order."""
    places = asyncio.Semaphore(count)
    async with Jobs(url, api_key=credentials.api_key, ca=credentials.ca) as server:
        with bars(len(jobs)) as shown:

            async def transcribed(job: Job) -> Outcome:
                async with places:
                    return await _handed_over(job, options, channels, server, shown, debug=debug)

            async with asyncio.TaskGroup() as tasks:
                outcomes = [tasks.create_task(transcribed(job)) for job in jobs]
                for job, outcome in zip(jobs, outcomes, strict=True):
                    done(job, await outcome)


async def _handed_over(job: Job, options: JobOptions, channels: Channels, server: Jobs, shown: Bars, *, debug: bool) -> Outcome:
    try:
        recording: Path | BinaryIO = Path(job.source)
        if job.source == STANDARD_INPUT:
            recording = cast("BinaryIO", source(job.source))
        name = "stdin" if job.source == STANDARD_INPUT else Path(job.source).name
        task_id = await _submitted(server, recording, name, options)
        task = await server.get(task_id)
        with shown.bar(name, task.duration) as advance:
            async with aclosing(server.follow(task_id)) as news:
                async for one in news:
                    if isinstance(one, Task) and one.duration:
                        advance(one.progress * one.duration)
        task = await server.get(task_id)
    except (StarlingError, OSError) as error:
        return Outcome(problem=failure(job, error, debug=debug))
    said = [] if task.result is None else said_there(task.result, channels)
    if task.status is JobStatus.DONE:
        return Outcome(said)
    return Outcome(said, f"{job.source}: {task.error.message if task.error else f'the job was {task.status}'}")


async def _submitted(server: Jobs, recording: Path | BinaryIO, name: str, options: JobOptions) -> str:
    """Hand it in; a server that is busy is asked again when it says so."""
    keyed: JobOptions = {**options, "idempotency_key": uuid.uuid4().hex}  # an answer that was lost makes no second job
    while True:
        try:
            return (await server.submit(recording, name=name, **keyed)).task_id
        except Overloaded as busy:
            if not isinstance(recording, Path):
                raise
            await asyncio.sleep(max(1.0, busy.retry_after))
