"""The work of ``starling jobs``, wherever jobs are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
import typer

from starling.cli.archive import Archive, Deed, Search
from starling.cli.report import complain
from starling.cli.tables import print_rows
from starling.cli.transcribing import Job, Outcome, damages, report
from starling.cli.transcripts import said_there
from starling.client.task import Queue, Task
from starling.client.terminal import plain
from starling.core.errors import Conflict
from starling.core.jobs import JobStatus
from starling.gateway.recordings.filenames import shown, with_suffix

HEADERS: Final = ("id", "tenant", "status", "progress", "priority", "submitted", "audio", "attempts", "file")

Opening: TypeAlias = AbstractAsyncContextManager[Archive]
"""An archive to be opened for one command."""


def show_jobs(opening: Opening, query: Search, *, as_json: bool) -> None:
    """On stdout; what waits goes to stderr."""

    async def look() -> tuple[list[Task], Queue]:
        async with opening as archive:
            return await archive.history(query), await archive.queue(query.tenant)

    found, queue = asyncio.run(look())
    if as_json:
        _tell_json(found)
        return
    print_rows(HEADERS, [_row(task) for task in found])
    complain(f"{queue.queued} queued, {queue.running} running, {queue.done} done, {queue.failed} failed")


def show_queue(opening: Opening, *, as_json: bool) -> None:
    """What waits, on stdout."""

    async def look() -> Queue:
        async with opening as archive:
            return await archive.queue(None)

    queue = asyncio.run(look())
    if as_json:
        _tell_json(queue)
        return
    facts = {status.value: str(getattr(queue, status.value)) for status in JobStatus}
    facts |= {"waiting audio": f"{queue.waiting_audio:.0f} s", "transcribers": str(queue.workers)}
    if queue.oldest is not None:
        facts |= {"oldest since": _at(queue.oldest)}
    print_rows(("", ""), facts.items())


def show_job(opening: Opening, job_id: str, *, as_json: bool) -> None:
    """All about it but its text, on stdout. Raises NotFound."""

    async def look() -> tuple[Task, dict[str, str]]:
        async with opening as archive:
            record = await archive.get(job_id)
            return msgspec.structs.replace(record.task, result=None), record.facts

    task, known = asyncio.run(look())
    if as_json:
        _tell_json(task)
        return
    times = {"submitted": task.created, "started": task.started, "finished": task.finished}
    facts = dict(zip(HEADERS, _row(task), strict=True)) | {name: _at(at) for name, at in times.items() if at is not None}
    facts |= {
        "language": task.language,
        "channels": task.channels.value,
        "format": f"{task.media_type}, {task.codec}, {task.size / 1e6:.1f} MB",
        "recording": "kept" if task.kept else "not kept any more",
    }
    if task.position is not None:
        facts |= {"position": f"{task.position} before it"}
    if task.error is not None:
        facts |= {"error": f"{task.error.message} ({task.error.code})"}
    facts |= {one.code: one.message for one in task.warnings}
    print_rows(("", ""), [(name, value) for name, value in (facts | known).items() if value])


def show_text(opening: Opening, job_id: str, *, as_json: bool) -> None:
    """What was found up to now, in the order of time. Raises NotFound."""

    async def look() -> Task:
        async with opening as archive:
            return (await archive.get(job_id)).task

    task = asyncio.run(look())
    segments = [] if task.result is None else task.result.segments
    if as_json:
        said = [{"start": one.start, "channel": one.channel, "text": one.text} for one in segments]
        _tell_json(said)
        return
    for one in segments:
        if one.text:
            typer.echo(plain(one.text))


def write_results(opening: Opening, job_ids: Sequence[str], form: str, output_dir: Path | None) -> int:
    """The texts of jobs that are done, in ``form``, on stdout or as files named like their recordings.

    How many there were none of, after saying why. Raises NotFound for a job that there is not.
    """

    async def look() -> list[Task]:
        async with opening as archive:
            return [(await archive.get(job_id)).task for job_id in job_ids]

    tasks = asyncio.run(look())
    if output_dir is not None:
        output_dir.mkdir(parents=True, exist_ok=True)
    taken: set[Path] = set()
    failed = 0
    for task in tasks:
        target = None if output_dir is None else _target(task, form, output_dir, taken)
        failed += not report(
            Job(shown(task.name), () if target is None else (target,)), _outcome(task), form, titled=len(tasks) > 1
        )
    return failed


def _target(task: Task, form: str, directory: Path, taken: set[Path]) -> Path:
    """Where its text goes: recordings of one name are told apart by the ids of their jobs."""
    name = with_suffix(task.name, form)
    target = directory / name
    if target in taken:
        target = directory / f"{task.task_id}-{name}"
    taken.add(target)
    return target


def _outcome(task: Task) -> Outcome:
    if task.status is JobStatus.DONE and task.result is not None:
        problem = damages(shown(task.name), [(one.code, one.message) for one in task.warnings])
        return Outcome(said_there(task.result, task.channels), problem)
    if task.error is not None:
        return Outcome(problem=f"{shown(task.name)}: {task.error.message}")
    return Outcome(problem=f"{shown(task.name)}: the job is {task.status}, and has a text once it is done")


def do(opening: Opening, deed: Deed, job_ids: Sequence[str]) -> None:
    """Do it to each. Raises NotFound for the first that there is not, and InvalidOption for one that is not as it must be."""

    async def work() -> None:
        async with opening as archive:
            for job_id in job_ids:
                try:
                    await archive.do(deed, job_id)
                except Conflict as error:
                    raise Conflict(f"job {job_id}: {error.message}") from None
                complain(f"job {job_id} is {deed}")

    asyncio.run(work())


def _row(task: Task) -> tuple[str, ...]:
    return (
        task.task_id,
        task.tenant,
        task.status.value,
        f"{100 * task.progress:.0f} %",
        task.priority.value,
        _at(task.created),
        "-" if task.duration is None else f"{task.duration:.0f} s",
        f"{task.attempts}",
        task.name,
    )


def _at(when: str) -> str:
    """A time of day of the API, as it is here."""
    try:
        return datetime.fromisoformat(when).astimezone().isoformat(" ", "seconds")
    except (ValueError, OverflowError, OSError):  # which no server of ours says
        return when


def _tell_json(value: object) -> None:
    typer.echo(plain(msgspec.json.encode(value).decode()))
