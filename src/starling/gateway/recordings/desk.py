"""The desk where recordings are asked for, and handed in at its ``intake``: its checks are the same for all APIs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from starling.auth.tenants import Principal, Tenant
from starling.core.config import SessionConfig
from starling.core.errors import Conflict, Forbidden, NotFound, RecordingGone, StoreFull
from starling.core.jobs import Job, JobPage, JobQuery, JobSegment, JobStatus, QueueState
from starling.core.ports import Capabilities, Clock
from starling.gateway.offers import Ability, offer
from starling.gateway.options import GatewayOptions
from starling.gateway.quotas import Quotas
from starling.gateway.recordings.accounts import Accounts
from starling.gateway.recordings.intake import Intake
from starling.gateway.recordings.places import Places
from starling.gateway.recordings.ports import RecordingPorts
from starling.gateway.recordings.reception import Reception
from starling.telemetry.logs import get_logger
from starling.telemetry.metrics import Metrics
from starling.telemetry.spans import NO_TRACER, Tracer

log = get_logger(__name__)

SOON: Final = 2.0
"""Seconds after which a place may be free again: nobody knows when one will be."""


@dataclass(frozen=True, slots=True)
class Step:
    """A job as it is now, and what was found of it since the step before. ``count``: segments found in all."""

    job: Job
    segments: Sequence[JobSegment]
    count: int


class Desk:
    """``wall``: seconds since 1970."""

    def __init__(
        self,
        gateway: GatewayOptions,
        ports: RecordingPorts,
        ability: Ability,
        quotas: Quotas,
        *,
        clock: Clock,
        wall: Callable[[], float],
        metrics: Metrics,
        tracer: Tracer = NO_TRACER,
    ) -> None:
        self.options = ports.options
        self.wall = wall
        self.store = ports.store
        self.reception = Reception(ports.options, ports.recordings, clock)
        self.egress = ports.egress
        self.recordings = ports.recordings
        shared = gateway.keys_file is not None
        self.uploads = Places("uploads", ports.options.max_uploads, retry_after=SOON, shared=shared)
        self.waiting = Places("requests that wait", ports.options.max_waiting, retry_after=SOON, shared=shared)
        self.streams = Places("streams of events", ports.options.max_streams, retry_after=SOON, shared=shared)
        self.drained = asyncio.Event()
        self._ability = ability
        self._defaults = gateway.defaults
        self.accounts = Accounts(ports.store, quotas, wall)
        metrics.uploads.set_function(lambda: self.uploads.taken)
        self.intake = Intake(
            gateway,
            ports,
            self.reception,
            self.accounts,
            uploads=self.uploads,
            drained=self.drained,
            clock=clock,
            wall=wall,
            metrics=metrics,
            tracer=tracer,
        )

    def drain(self) -> None:
        """Take nothing in any more; who waits is sent away. Jobs that were taken in are safe."""
        self.drained.set()

    async def vacate(self, grace: float) -> None:
        """Wait for what still comes in, and for answers that are on their way, up to ``grace`` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self.uploads.vacated()
                await self.waiting.vacated()

    def offered(self, tenant: Tenant) -> Capabilities:
        """What ``tenant`` may use of what the model can do. Raises Overloaded while nobody knows that."""
        return offer(tenant, self._ability.capabilities, self._defaults).capabilities

    @property
    def defaults(self) -> SessionConfig:
        """The options of a job that chooses none."""
        return self._defaults.updated(partials=False, partial_words=False)

    async def find(self, principal: Principal, job_id: str) -> Job:
        """A job that ``principal`` may see. Raises NotFound, also for one of another tenant."""
        job = await self.store.get(job_id)
        if job is None or not may_see(principal, job):
            raise NotFound("no job of yours has this id: see /api/v1/asr/history")
        return job

    async def cancel(self, job: Job) -> Job | None:
        """Nobody wants it any more."""
        log.info("job cancelled", job_id=job.job_id, trace_id=job.trace_id)
        return await self.store.cancel(job.job_id, now=self.wall())

    async def stop(self, principal: Principal, job_id: str) -> Job:
        """Cancel it, and keep it in the history. Raises NotFound; Conflict for one that is over."""
        job = await self.find(principal, job_id)
        cancelled = None if job.status.over else await self.cancel(job)
        if cancelled is None or cancelled.status is not JobStatus.CANCELLED:
            raise Conflict(f"only a job that waits or runs can be cancelled, this one is {(cancelled or job).status}")
        return cancelled

    async def retry(self, principal: Principal, job_id: str) -> Job:
        """Do it again from its beginning. Raises NotFound, RecordingGone, QuotaExceeded; Conflict for one that is not over."""
        job = await self.find(principal, job_id)
        if job.status not in {JobStatus.FAILED, JobStatus.CANCELLED}:
            raise Conflict(f"only a job that failed or was cancelled can be retried, this one is {job.status}")
        if not job.recording.key:
            raise RecordingGone("the recording of this job is not kept any more: submit it again")
        await self.accounts.check(principal.tenant)
        await self.accounts.check_length(principal.tenant, job.recording.duration or 0.0)
        retried = await self.store.retry(job.job_id, now=self.wall())
        if retried is None:
            raise NotFound("the job was deleted just now")
        await self.accounts.charged(principal.tenant.name)
        return retried

    async def delete(self, principal: Principal, job_id: str) -> Job:
        """Cancel it if it is not over, and forget it with its recording and its text. Raises NotFound."""
        job = await self.find(principal, job_id)
        try:
            await self.store.cancel(job.job_id, now=self.wall())
            deleted = await self.store.delete(job.job_id)
        except StoreFull:  # its recording is room, and whoever works on it hears that nobody wants it
            await self.recordings.delete(job.recording.key)
            deleted = await self.store.delete(job.job_id)
        if deleted is None:
            raise NotFound("the job was deleted just now")
        if deleted.recording.key:
            await self.recordings.delete(deleted.recording.key)
        return deleted

    async def history(self, principal: Principal, query: JobQuery, *, tenant: str | None) -> JobPage:
        """Jobs that ``principal`` may see; ``tenant``: of that one only. Raises Forbidden for another's, and InvalidOption."""
        return await self.store.history(replace(query, tenant=whose(principal, tenant)))

    async def state(self, principal: Principal) -> QueueState:
        """The queue as ``principal`` may see it."""
        return await self.store.state(tenant=whose(principal, None), now=self.wall())

    async def follow(self, job_id: str, *, after: int = 0) -> AsyncGenerator[Step]:
        """A step at once and after each change, until the job is over or deleted. ``after``: segments known already."""
        async with self.store.changes(job_id) as changes:
            async for _ in changes:
                job = await self.store.get(job_id)
                if job is None:
                    return
                segments = await self.store.segments(job_id, after=after)
                after += len(segments)
                yield Step(job, segments, after)
                if job.status.over:
                    return


def may_see(principal: Principal, job: Job) -> bool:
    """A tenant sees its own jobs, an operator all."""
    return principal.operator or job.tenant == principal.tenant.name


def whose(principal: Principal, tenant: str | None) -> str | None:
    """The tenant whose jobs to show: an operator's wish, or all; others their own. Raises Forbidden for another's."""
    if principal.operator:
        return tenant
    if tenant not in {None, principal.tenant.name}:
        raise Forbidden("jobs of another tenant are for an operator's key only")
    return principal.tenant.name
