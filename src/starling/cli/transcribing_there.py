"""``starling transcribe --server``: recordings are handed to a server, which keeps them as jobs."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starling.cli.interrupts import interrupts
from starling.cli.live import Credentials
from starling.cli.progress import Bars, bars
from starling.cli.recorded import STANDARD_INPUT
from starling.cli.report import complain
from starling.cli.submitting import called, handed_in
from starling.cli.transcribing import Job, Outcome, damages, failure
from starling.cli.transcripts import said_there
from starling.client.jobs import Jobs
from starling.client.options import Options, session_config
from starling.client.task import JobOptions, Submitted, Task
from starling.core.errors import Conflict, InvalidOption, StarlingError
from starling.core.jobs import Channels, JobStatus

UNKNOWN_THERE: Final = ("endpoint_silence", "finished_silence", "vad")
"""Options that a server has one value of, for all recordings."""

GRACE: Final = 3.0
"""Seconds in which recordings may get to a server that are on their way when nobody waits for them any more."""

PATIENCE: Final = 10.0
"""Seconds in which a server says that it cancelled a job."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What is asked of a server. ``count``: recordings at once; ``keep``: they go on there when this command is ended."""

    url: str
    credentials: Credentials
    options: JobOptions
    channels: Channels
    count: int
    keep: bool = False
    debug: bool = False


async def at_a_server(jobs: Sequence[Job], errand: Errand, done: Callable[[Job, Outcome], None]) -> bool:
    """Have all ``jobs`` done at a server. ``done`` is told of each, in their order.

    False if Ctrl-C came before that: what is not over there by then is cancelled, or kept.
    """
    credentials = errand.credentials
    async with Jobs(errand.url, api_key=credentials.api_key, ca=credentials.ca) as server:
        with interrupts() as stop, bars(len(jobs)) as shown:
            visit = Visit(errand, server, shown)
            working = asyncio.create_task(visit.work(jobs, done))
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if working.done():
                working.result()
                return True
            working.cancel()
            await asyncio.wait((working,))
        await visit.leave()
    return False


class Visit:
    """One command's recordings at a server."""

    def __init__(self, errand: Errand, server: Jobs, shown: Bars) -> None:
        self._errand = errand
        self._server = server
        self._shown = shown
        self._places = asyncio.Semaphore(errand.count)
        self._handing: dict[asyncio.Task[Submitted], str] = {}
        self._open: dict[str, str] = {}

    async def work(self, jobs: Sequence[Job], done: Callable[[Job, Outcome], None]) -> None:
        """See ``at_a_server``."""
        async with asyncio.TaskGroup() as tasks:
            outcomes = [tasks.create_task(self._transcribed(job)) for job in jobs]
            for job, outcome in zip(jobs, outcomes, strict=True):
                done(job, await outcome)

    async def leave(self) -> None:
        """Nobody waits any longer for what is not over there."""
        await self._end_uploads()
        if not self._open:
            return
        recordings = f"{len(self._open)} recording{'s' if len(self._open) > 1 else ''}"
        if self._errand.keep:
            complain(f"{recordings} went on at the server; the same command, or `starling jobs result`, gets the texts:")
            for task_id, name in self._open.items():
                complain(f"{task_id} {name}")
            return
        left: list[str] = []
        for task_id in self._open:
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._server.cancel(task_id)
            except Conflict:
                pass  # over by now
            except (StarlingError, TimeoutError):
                left.append(task_id)
        if left:
            complain(f"the server did not say that it cancelled {', '.join(left)}: see `starling jobs list --server`")
        else:
            complain(f"cancelled {recordings} at the server; with --keep they would go on there")

    async def _transcribed(self, job: Job) -> Outcome:
        async with self._places:
            try:
                task = await self._handed_over(job)
            except (StarlingError, OSError) as error:
                return Outcome(problem=failure(job.source, error, debug=self._errand.debug))
        said = [] if task.result is None else said_there(task.result, self._errand.channels)
        if task.status is JobStatus.DONE:
            return Outcome(said, damages(job.source, [(one.code, one.message) for one in task.warnings]))
        return Outcome(said, f"{job.source}: {task.error.message if task.error else f'the job was {task.status}'}")

    async def _handed_over(self, job: Job) -> Task:
        """The job of a recording once it is over."""
        server, options = self._server, self._errand.options
        handing = asyncio.create_task(handed_in(server, job.source, options, self._key(job)))
        self._handing[handing] = job.source
        task_id = (await asyncio.shield(handing)).task_id  # whoever leaves wants to know of a job that is just made
        del self._handing[handing]
        self._open[task_id] = job.source
        task = await server.get(task_id)
        if self._errand.keep and task.status in {JobStatus.CANCELLED, JobStatus.FAILED}:  # of a command before this one
            await server.retry(task_id)
        with self._shown.bar(called(job.source), task.duration) as advance:
            async with aclosing(server.follow(task_id)) as news:
                async for one in news:
                    if isinstance(one, Task) and one.duration:
                        advance(one.progress * one.duration)
        task = await server.get(task_id)
        del self._open[task_id]
        return task

    async def _end_uploads(self) -> None:
        """Those that nearly are at the server may get there: their jobs would be nobody's."""
        if not self._handing:
            return
        _, late = await asyncio.wait(self._handing, timeout=GRACE)
        for handing in late:
            handing.cancel()
        for handing, answer in zip(self._handing, await asyncio.gather(*self._handing, return_exceptions=True), strict=True):
            if isinstance(answer, Submitted):
                self._open[answer.task_id] = self._handing[handing]

    def _key(self, job: Job) -> str:
        """Another one each time; but jobs that are kept are found again by the same command."""
        if not self._errand.keep or job.source == STANDARD_INPUT:
            return uuid.uuid4().hex
        path = Path(job.source)
        found = path.stat()
        marks = (str(path.resolve()), found.st_size, found.st_mtime_ns, sorted(map(repr, self._errand.options.items())))
        return hashlib.sha256(repr(marks).encode()).hexdigest()
