"""How long recordings and texts are kept. The policy is pure; ``prune`` does what it says, ``Retention`` does so now and then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from starling.core.errors import StarlingError
from starling.core.job_store import JobStore, Recordings
from starling.core.jobs import DAY, Job, JobQuery, JobStatus
from starling.telemetry.logs import get_logger

log = get_logger(__name__)


ORPHAN_AGE: Final = DAY
"""Seconds after which a recording that no job names is a left-over: its upload, or its gateway, ended half-way."""

EVERY: Final = 600.0
"""Seconds between two rounds."""

PAGE: Final = 500
"""Jobs, or recordings, that are looked at together."""

OVER: Final = tuple(status for status in JobStatus if status.over)

CHORE: Final = "retention"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionOptions:
    """Of jobs that are over: how many to keep, the newest, and for how many seconds. A recording goes no later than its job."""

    max_recordings: int = 10_000
    recording_age: float = 30 * DAY
    max_results: int = 100_000
    result_age: float = 365 * DAY


class Fate(StrEnum):
    """What becomes of a job."""

    STAYS = "stays"
    LOSES_AUDIO = "loses its audio"
    GOES = "goes"


class Policy:
    """Judges jobs that are over, the newest first. ``now``: Unix seconds."""

    def __init__(self, options: RetentionOptions, *, now: float) -> None:
        self._options = options
        self._now = now
        self._results = 0
        self._recordings = 0

    def judge(self, job: Job) -> Fate:
        """Of the next one."""
        age = self._now - (job.created if job.finished is None else job.finished)
        if self._results >= self._options.max_results or age >= self._options.result_age:
            return Fate.GOES
        self._results += 1
        if not job.recording.key:
            return Fate.STAYS
        if self._recordings >= self._options.max_recordings or age >= self._options.recording_age:
            return Fate.LOSES_AUDIO
        self._recordings += 1
        return Fate.STAYS


@dataclass(slots=True)
class Pruned:
    """What went. ``jobs``: with their texts; ``recordings``: of those and of others; ``orphans``: recordings of no job."""

    jobs: int = 0
    recordings: int = 0
    size: int = 0
    orphans: int = 0

    @property
    def any(self) -> bool:
        return bool(self.jobs or self.recordings or self.orphans)


async def prune(
    store: JobStore, recordings: Recordings, options: RetentionOptions, *, now: float, dry_run: bool = False
) -> Pruned:
    """Delete what is not to be kept any longer, for good; or only say what that is. Raises StoreUnavailable.

    The store forgets first: who is stopped in between leaves a recording that no job names, and those are found again.
    """
    pruned, policy = Pruned(), Policy(options, now=now)
    query = JobQuery(tenant=None, statuses=OVER, limit=PAGE)
    while True:
        page = await store.history(query)
        for job in page.jobs:
            fate = policy.judge(job)
            if fate is not Fate.STAYS and (dry_run or await _forgotten(store, job, fate)):
                pruned.jobs += fate is Fate.GOES
                if job.recording.key:
                    pruned.recordings += 1
                    pruned.size += job.recording.size
                    if not dry_run:
                        await recordings.delete(job.recording.key)
        if not page.cursor:
            break
        query = JobQuery(tenant=None, statuses=OVER, limit=PAGE, cursor=page.cursor)
    await _sweep(store, recordings, pruned, now=now, dry_run=dry_run)
    if not dry_run:
        await store.purge()
    return pruned


async def _forgotten(store: JobStore, job: Job, fate: Fate) -> bool:
    """Whether that could still be done: it may have been retried meanwhile."""
    if fate is Fate.GOES:
        return await store.delete(job.job_id, only_over=True) is not None
    return await store.forget_audio(job.job_id) is not None


async def _sweep(store: JobStore, recordings: Recordings, pruned: Pruned, *, now: float, dry_run: bool) -> None:
    old: list[str] = []

    async def judge() -> None:
        for key in await store.unnamed(old):
            pruned.orphans += 1
            if not dry_run:
                await recordings.delete(key)
        old.clear()

    async for key, stored in recordings.keys():
        if now - stored >= ORPHAN_AGE:
            old.append(key)
            if len(old) == PAGE:
                await judge()
    await judge()


class Retention:
    """Prunes now and then, in one process of all that share the store. ``worker``: the name of this one."""

    def __init__(
        self,
        store: JobStore,
        recordings: Recordings,
        options: RetentionOptions,
        *,
        worker: str,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._recordings = recordings
        self._options = options
        self._worker = worker
        self._wall = wall
        self._sleep = sleep

    async def run(self) -> None:
        """Until cancelled. What fails is tried again in the next round."""
        while True:
            try:
                await self._round()
            except StarlingError as error:
                log.warning("old jobs could not be deleted", reason=error.message)
            await self._sleep(EVERY)

    async def _round(self) -> None:
        if not await self._store.take_turn(CHORE, self._worker, now=self._wall(), lease=2 * EVERY):
            return
        pruned = await prune(self._store, self._recordings, self._options, now=self._wall())
        if pruned.any:
            log.info("old jobs deleted", jobs=pruned.jobs, recordings=pruned.recordings, size=pruned.size, orphans=pruned.orphans)
