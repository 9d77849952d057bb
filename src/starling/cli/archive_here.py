"""Jobs where the settings keep them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar

import msgspec
from pydantic import BaseModel

from starling.app.jobs import open_job_store, open_recordings, retention_options
from starling.cli.archive import Deed, Record, Search
from starling.cli.report import complain
from starling.client.task import Queue, Task
from starling.config.doctor import Check, Status
from starling.config.settings import Settings
from starling.core.errors import InvalidOption, NotFound, StarlingError
from starling.core.job_store import JobStore, Recordings
from starling.core.jobs import Job, JobQuery, JobStatus, QueueState
from starling.gateway.recordings import views
from starling.jobs.retention import PAGE, prune

Seen = TypeVar("Seen", Task, Queue)


class StoredJobs:
    """The ``Archive`` of this host."""

    def __init__(self, store: JobStore, recordings: Recordings) -> None:
        self._store = store
        self._recordings = recordings

    async def history(self, query: Search) -> list[Task]:
        """See ``Archive``."""
        statuses = () if query.status is None else (query.status,)
        asked = JobQuery(tenant=query.tenant, statuses=statuses, search=query.search)
        found: list[Job] = []
        while True:
            page = await self._store.history(replace(asked, limit=min(PAGE, query.limit - len(found))))
            found += page.jobs
            if not page.cursor or len(found) >= query.limit:
                return [_as_served(views.task(job), Task) for job in found]
            asked = replace(asked, cursor=page.cursor)

    async def queue(self, tenant: str | None) -> Queue:
        """See ``Archive``."""
        return _as_served(views.queue(await self._store.state(tenant=tenant, now=time.time())), Queue)

    async def get(self, job_id: str) -> Record:
        """See ``Archive``."""
        job = await self._known(job_id)
        found = await self._store.segments(job_id)  # of one that failed, too
        text = views.transcript(job, found) if found or job.status is JobStatus.DONE else None
        view = views.TaskResult(**views.task(job, await self._store.position(job_id)).model_dump(), result=text)
        return Record(_as_served(view, Task), {"worker": job.worker or "", "trace": job.trace_id})

    async def do(self, deed: Deed, job_id: str) -> None:
        """See ``Archive``."""
        before = await self._known(job_id)
        match deed:
            case Deed.RETRY:
                after = await self._store.retry(job_id, now=time.time())
            case Deed.CANCEL:
                after = await self._store.cancel(job_id, now=time.time())
            case Deed.DELETE:
                after = await self._store.delete(job_id)
                if after is not None:
                    await self._recordings.delete(after.recording.key)
                await self._store.purge()
        if after is None:
            raise _unknown(job_id)
        if deed is not Deed.DELETE and after == before:
            raise InvalidOption(f"job {job_id} is {before.status}, so it cannot be {deed}")

    async def _known(self, job_id: str) -> Job:
        job = await self._store.get(job_id)
        if job is None:
            raise _unknown(job_id)
        return job


@asynccontextmanager
async def stored_jobs(settings: Settings) -> AsyncIterator[StoredJobs]:
    """Those of ``settings``."""
    async with _opened(settings) as (store, recordings):
        yield StoredJobs(store, recordings)


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


def _as_served(view: BaseModel, kind: type[Seen]) -> Seen:
    """What a client of a server would have got."""
    return msgspec.convert(view.model_dump(mode="json"), kind)


def _unknown(job_id: str) -> NotFound:
    return NotFound(f"expected the id of a job, got {job_id!r}: `starling jobs list` shows them")
