"""The work of ``starling jobs``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import msgspec
import typer

from starling.app.jobs import open_job_store, open_recordings, retention_options
from starling.cli.report import complain, printable
from starling.cli.tables import print_rows
from starling.config.doctor import Check, Status
from starling.config.settings import Settings
from starling.core.audio import seconds
from starling.core.errors import InvalidOption, NotFound, StarlingError
from starling.core.jobs import Job, JobQuery, JobStore, QueueState, Recordings
from starling.jobs.retention import PAGE, prune

HEADERS: Final = ("id", "tenant", "status", "progress", "priority", "submitted", "audio", "attempts", "file")


class Deed(StrEnum):
    """What can be done to a job, in the past tense."""

    RETRY = "queued again"
    CANCEL = "cancelled"
    DELETE = "deleted"


def show_jobs(settings: Settings, query: JobQuery, *, as_json: bool) -> None:
    """On stdout; what waits goes to stderr."""
    found, state = asyncio.run(_listed(settings, query))
    if as_json:
        typer.echo(msgspec.json.encode([_without_secrets(job) for job in found]).decode())
        return
    print_rows(HEADERS, [_row(job) for job in found])
    complain(f"{state.queued} queued, {state.running} running, {state.done} done, {state.failed} failed")


async def _listed(settings: Settings, query: JobQuery) -> tuple[list[Job], QueueState]:
    async with _opened(settings) as (store, _):
        found: list[Job] = []
        wanted = query.limit
        while True:
            page = await store.history(replace(query, limit=min(PAGE, wanted - len(found))))
            found += page.jobs
            if not page.cursor or len(found) >= wanted:
                return found, await store.state(tenant=query.tenant, now=time.time())
            query = replace(query, cursor=page.cursor)


def _row(job: Job) -> tuple[str, ...]:
    return (
        job.job_id,
        job.tenant,
        job.status.value,
        f"{100 * job.progress:.0f} %",
        job.priority.value,
        _at(job.created),
        "-" if job.recording.duration is None else f"{job.recording.duration:.0f} s",
        f"{job.attempts}",
        printable(job.recording.name),
    )


def show_job(settings: Settings, job_id: str, *, as_json: bool) -> None:
    """All about it, on stdout. Raises NotFound."""
    job = asyncio.run(_found(settings, job_id))
    if as_json:
        typer.echo(msgspec.json.encode(_without_secrets(job)).decode())
        return
    times = {"submitted": job.created, "started": job.started, "finished": job.finished}
    facts = dict(zip(HEADERS, _row(job), strict=True)) | {name: _at(at) for name, at in times.items() if at is not None}
    facts |= {"worker": job.worker, "trace": job.trace_id, "recording": "kept" if job.recording.key else "not kept any more"}
    if job.error is not None:
        facts |= {"error": f"{job.error.message} ({job.error.code})"}
    print_rows(("", ""), [(name, value) for name, value in facts.items() if value])


async def _found(settings: Settings, job_id: str) -> Job:
    async with _opened(settings) as (store, _):
        job = await store.get(job_id)
    if job is None:
        raise _unknown(job_id)
    return job


def show_text(settings: Settings, job_id: str, *, as_json: bool) -> None:
    """What was said, in the order of time. Raises NotFound."""

    async def look() -> list[tuple[float, int, str]]:
        async with _opened(settings) as (store, _):
            if await store.get(job_id) is None:
                raise _unknown(job_id)
            found = await store.segments(job_id)
        return sorted((seconds(each.transcript.start), each.channel, each.transcript.text) for each in found)

    said = asyncio.run(look())
    if as_json:
        typer.echo(
            msgspec.json.encode([{"start": start, "channel": channel, "text": text} for start, channel, text in said]).decode()
        )
        return
    for _, _, text in said:
        if text:
            typer.echo(text)


def do(settings: Settings, deed: Deed, job_ids: Sequence[str]) -> None:
    """Do it to each. Raises NotFound for the first that there is not, and InvalidOption for one that is not as it must be."""
    asyncio.run(_do(settings, deed, job_ids))


async def _do(settings: Settings, deed: Deed, job_ids: Sequence[str]) -> None:
    async with _opened(settings) as (store, recordings):
        for job_id in job_ids:
            before = await store.get(job_id)
            match deed:
                case Deed.RETRY:
                    after = await store.retry(job_id, now=time.time())
                case Deed.CANCEL:
                    after = await store.cancel(job_id, now=time.time())
                case Deed.DELETE:
                    after = await store.delete(job_id)
                    if after is not None:
                        await recordings.delete(after.recording.key)
            if before is None or after is None:
                raise _unknown(job_id)
            if deed is not Deed.DELETE and after == before:
                raise InvalidOption(f"job {job_id} is {before.status}, so it cannot be {deed}")
            complain(f"job {job_id} is {deed}")
        if deed is Deed.DELETE:
            await store.purge()


def prune_now(settings: Settings, *, dry_run: bool) -> None:
    """Delete what is not to be kept any longer, or say what that is."""

    async def work() -> None:
        async with _opened(settings) as (store, recordings):
            pruned = await prune(store, recordings, retention_options(settings), now=time.time(), dry_run=dry_run)
        complain(
            f"{'would delete' if dry_run else 'deleted'} {pruned.jobs} jobs with their texts, {pruned.recordings} recordings "
            f"({pruned.size / 1e6:.1f} MB), and {pruned.orphans} recordings that no job names"
        )

    asyncio.run(work())


def check_jobs(settings: Settings) -> Check:
    """Jobs and recordings can be kept where the settings say. Makes the places if they are not there, as a start does."""

    async def look() -> QueueState:
        async with _opened(settings) as (store, recordings):
            async for _ in recordings.keys():
                break
            return await store.state(tenant=None, now=time.time())

    try:
        state = asyncio.run(look())
    except StarlingError as error:
        return Check("jobs", Status.WARN, f"no recorded files are taken: {error.message}", "see jobs.store and jobs.recordings")
    kept = state.done + state.failed + state.cancelled
    return Check("jobs", Status.OK, f"{state.queued + state.running} recordings to do, {kept} over and kept")


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[JobStore, Recordings]]:
    store = open_job_store(settings)
    try:
        recordings = open_recordings(settings)
        try:
            yield store, recordings
        finally:
            await recordings.close()
    finally:
        await store.close()


def _unknown(job_id: str) -> NotFound:
    return NotFound(f"expected the id of a job, got {job_id!r}: `starling jobs list` shows them")


def _at(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).astimezone().isoformat(" ", "seconds")


def _without_secrets(job: Job) -> Job:
    """The secret of its callback is for nobody to see."""
    callback = job.options.callback
    return job if callback is None else replace(job, options=replace(job.options, callback=replace(callback, secret="")))
