"""The desk where recordings are handed in and asked for, whatever API a client speaks: its checks are the same for all."""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final

from starling.auth.tenants import Principal, Tenant
from starling.core.config import SessionConfig
from starling.core.errors import (
    ClientError,
    Conflict,
    CorruptAudio,
    Forbidden,
    FrameTooLarge,
    InvalidOption,
    NotFound,
    QuotaExceeded,
    RecordingGone,
    ShuttingDown,
    StarlingError,
)
from starling.core.jobs import (
    DAY,
    Channels,
    Charge,
    Job,
    JobOptions,
    JobPage,
    JobQuery,
    JobSegment,
    JobStatus,
    QueueState,
    RecordingInfo,
)
from starling.core.load import Priority
from starling.core.ports import Capabilities, Clock
from starling.gateway.access import network
from starling.gateway.buckets import BucketTable
from starling.gateway.offers import Ability, offer
from starling.gateway.options import GatewayOptions
from starling.gateway.quotas import Quotas
from starling.gateway.recordings.accounts import Accounts
from starling.gateway.recordings.places import Places
from starling.gateway.recordings.ports import RecordingPorts
from starling.gateway.recordings.reception import Reception, Stored
from starling.gateway.recordings.targets import target
from starling.telemetry.logs import get_logger
from starling.telemetry.metrics import Metrics

log = get_logger(__name__)

SOON: Final = 2.0
MAX_KEY: Final = 255
"""Characters of an idempotency key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a client asks for."""

    options: JobOptions
    priority: Priority = Priority.NORMAL


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
        self._prober = ports.prober
        self.accounts = Accounts(ports.store, quotas, wall)
        self._clock = clock
        self._metrics = metrics
        metrics.uploads.set_function(lambda: self.uploads.taken)
        self._turns = BucketTable(gateway.opens_per_minute / 60, gateway.opens_per_minute)

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

    # --- handing in ----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def receiving(self, principal: Principal, address: str) -> AsyncIterator[None]:
        """Hold a place for an upload. Raises ShuttingDown, Overloaded, QuotaExceeded and StoreUnavailable."""
        with ExitStack() as held:
            with self._counted():
                if self.drained.is_set():
                    raise ShuttingDown("the server is shutting down; send the recording to another one, or again later")
                self._take_turn(principal, address)
                await self.accounts.check(principal.tenant)
                held.enter_context(self.uploads.held(principal.tenant.name))
            yield

    def check_callback(self, url: str) -> None:
        """Raises Forbidden where callbacks are not told, and InvalidOption for a URL that is none to tell."""
        self.check_urls("callback")
        target(url, "callback")

    def check_urls(self, what: str) -> None:
        """Raises Forbidden where this server goes nowhere."""
        if not self.options.allow_urls:
            raise Forbidden(f"{what} is not offered here: this server connects to no other (see jobs.allow_urls)")

    async def submit(self, principal: Principal, stored: Stored, wish: Wish, *, trace_id: str, idempotency_key: str = "") -> Job:
        """Queue a recording that has come. It is removed if it cannot be.

        Raises CorruptAudio, UnsupportedAudio, FrameTooLarge, Conflict, QuotaExceeded, StoreUnavailable.
        """
        tenant = principal.tenant
        try:
            with self._counted():
                _check_key(idempotency_key)
                info = await self._look(stored)
                self._check_length(info)
                await self.accounts.check(tenant)
                now = self.wall()
                job = Job(
                    job_id=secrets.token_hex(16),
                    tenant=tenant.name,
                    recording=info,
                    options=wish.options,
                    created=now,
                    trace_id=trace_id,
                    charge=Charge(info.expected, math.floor(now / DAY)),
                    priority=Priority.LOW if tenant.priority is Priority.LOW else wish.priority,
                )
        except BaseException:
            await self.reception.discard(stored)
            raise
        taken = await self._queue(job, stored, idempotency_key)
        if taken.job_id != job.job_id:
            await self.reception.discard(stored)
            return taken
        await self._charged(tenant)
        self._metrics.jobs_submitted.inc()
        self._metrics.upload_bytes.inc(info.size)
        log.info("job submitted", job_id=job.job_id, trace_id=trace_id, tenant_id=tenant.name, bytes=info.size, codec=info.codec)
        return taken

    async def _queue(self, job: Job, stored: Stored, idempotency_key: str) -> Job:
        """A store that did not answer may have taken it all the same, and a job must not lose its recording.

        So it stays where nobody knows: retention finds what no job names.
        """
        try:
            with self._counted():
                return await self.store.submit(job, idempotency_key=idempotency_key)
        except ClientError:
            await self.reception.discard(stored)
            raise
        except StarlingError:
            with suppress(StarlingError):
                if await self.store.unnamed([stored.key]):
                    await self.reception.discard(stored)
            raise

    async def _look(self, stored: Stored) -> RecordingInfo:
        if stored.size == 0:
            raise CorruptAudio("expected a recording, got a file without a byte in it")
        file = await self.recordings.open(stored.key)
        try:
            found = await self._prober.probe(file)
        finally:
            await asyncio.to_thread(file.close)
        return RecordingInfo(
            key=stored.key,
            name=stored.name,
            size=stored.size,
            digest=stored.digest,
            media_type=found.media_type,
            codec=found.codec,
            channels=found.channels,
            duration=found.duration,
        )

    def _check_length(self, info: RecordingInfo) -> None:
        most = self.options.max_duration
        if info.duration is not None and info.duration > most:
            raise FrameTooLarge(f"a recording may last {most:g} s at most, this one says it lasts {info.duration:.0f} s")

    async def _charged(self, tenant: Tenant) -> None:
        with suppress(StarlingError):  # it was taken in all the same, and is counted at the next look
            await self.accounts.look(tenant.name)

    def _take_turn(self, principal: Principal, address: str) -> None:
        now = self._clock.now()
        for name in (f"address {network(address)}", f"key {principal.key_id}" if principal.key_id else ""):
            wait = self._turns.of(name, now).ask(now) if name else 0.0
            if wait > 0:
                raise QuotaExceeded("too many recordings a minute from your address or key", gate="rate", retry_after=wait)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        try:
            yield
        except StarlingError as error:
            self._metrics.jobs_refused.labels(reason=_reason(error)).inc()
            raise

    # --- asking --------------------------------------------------------------------------------------------------------

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
        retried = await self.store.retry(job.job_id, now=self.wall())
        if retried is None:
            raise NotFound("the job was deleted just now")
        await self._charged(principal.tenant)
        return retried

    async def delete(self, principal: Principal, job_id: str) -> Job:
        """Cancel it if it is not over, and forget it with its recording and its text. Raises NotFound."""
        job = await self.find(principal, job_id)
        await self.store.cancel(job.job_id, now=self.wall())
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


def channels_of(separate: bool) -> Channels:  # noqa: FBT001 - it is a wish
    """As a client's flag has it."""
    return Channels.SEPARATE if separate else Channels.MIXED


def _check_key(key: str) -> None:
    if len(key) > MAX_KEY or not key.isascii() or not (key == "" or key.isprintable()):
        raise InvalidOption(f"Idempotency-Key must be at most {MAX_KEY} printable ASCII characters")


def _reason(error: StarlingError) -> str:
    match error.http_status:
        case 429:
            return "quota"
        case 503:
            return "capacity"
        case 413:
            return "size"
        case 400 | 415:
            return "audio" if error.code in {"corrupt_audio", "unsupported_audio"} else "invalid"
        case _:
            return "other"
