"""Where recordings are handed in, whatever API a client speaks: who may, how much, how often, and what it is that came."""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from starling.auth.tenants import Principal, Tenant
from starling.core.errors import (
    ClientError,
    CorruptAudio,
    Forbidden,
    FrameTooLarge,
    InvalidOption,
    QuotaExceeded,
    ShuttingDown,
    StarlingError,
    StoreUnavailable,
)
from starling.core.jobs import DAY, Charge, Job, JobOptions, RecordingInfo
from starling.core.load import Priority
from starling.core.ports import Clock
from starling.core.tracing import Trace
from starling.gateway.access import network
from starling.gateway.buckets import BucketTable
from starling.gateway.options import GatewayOptions
from starling.gateway.recordings.accounts import Accounts
from starling.gateway.recordings.places import Places
from starling.gateway.recordings.ports import RecordingPorts
from starling.gateway.recordings.reception import Reception, Stored
from starling.gateway.recordings.targets import target
from starling.telemetry.logs import get_logger
from starling.telemetry.metrics import Metrics
from starling.telemetry.spans import ActiveSpan, SpanKind, SpanName, Tracer, log_ids

log = get_logger(__name__)

MAX_KEY: Final = 255
"""Characters of an idempotency key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a client asks for."""

    options: JobOptions
    priority: Priority = Priority.NORMAL


class Intake:
    """``uploads``: places for those that come in. ``drained``: set when nothing is taken in any more. ``wall``: Unix seconds."""

    def __init__(
        self,
        gateway: GatewayOptions,
        ports: RecordingPorts,
        reception: Reception,
        accounts: Accounts,
        *,
        uploads: Places,
        drained: asyncio.Event,
        clock: Clock,
        wall: Callable[[], float],
        metrics: Metrics,
        tracer: Tracer,
    ) -> None:
        self._options = ports.options
        self._store = ports.store
        self._recordings = ports.recordings
        self._prober = ports.prober
        self._reception = reception
        self._accounts = accounts
        self._uploads = uploads
        self._drained = drained
        self._clock = clock
        self._wall = wall
        self._metrics = metrics
        self._tracer = tracer
        self._turns = BucketTable(gateway.opens_per_minute / 60, gateway.opens_per_minute)

    @asynccontextmanager
    async def receiving(self, principal: Principal, address: str) -> AsyncIterator[None]:
        """Hold a place for an upload. Raises ShuttingDown, Overloaded, QuotaExceeded and StoreUnavailable."""
        with ExitStack() as held:
            with self._counted():
                if self._drained.is_set():
                    raise ShuttingDown("the server is shutting down; send the recording to another one, or again later")
                self._take_turn(principal, address)
                await self._accounts.check(principal.tenant)
                held.enter_context(self._uploads.held(principal.tenant.name))
            yield

    def check_callback(self, url: str) -> None:
        """Raises Forbidden where callbacks are not told, and InvalidOption for a URL that is none to tell."""
        self.check_urls("callback")
        target(url, "callback")

    def check_urls(self, what: str) -> None:
        """Raises Forbidden where this server goes nowhere."""
        if not self._options.allow_urls:
            raise Forbidden(f"{what} is not offered here: this server connects to no other (see jobs.allow_urls)")

    async def submit(self, principal: Principal, stored: Stored, wish: Wish, *, trace: Trace, idempotency_key: str = "") -> Job:
        """Queue a recording that has come. It is removed if it cannot be.

        Raises CorruptAudio, UnsupportedAudio, FrameTooLarge, Conflict, QuotaExceeded, StoreUnavailable.
        """
        span = self._tracer.begin(self._tracer.root(trace), SpanName.SUBMIT, kind=SpanKind.PRODUCER)
        error = "interrupted"
        try:
            job = await self._submit(principal, stored, wish, idempotency_key, trace_id=trace.trace_id, span=span)
            error = ""
        except StarlingError as refused:
            error = refused.code
            raise
        finally:
            span.end(error=error)
        return job

    async def _submit(
        self, principal: Principal, stored: Stored, wish: Wish, idempotency_key: str, *, trace_id: str, span: ActiveSpan
    ) -> Job:
        tenant = principal.tenant
        try:
            with self._counted():
                _check_key(idempotency_key)
                info = await self._look(stored)
                self._check_length(info)
                await self._accounts.check(tenant)
                now = self._wall()
                job = Job(
                    job_id=secrets.token_hex(16),
                    tenant=tenant.name,
                    recording=info,
                    options=wish.options,
                    created=now,
                    trace_id=trace_id,
                    span=span.context,
                    charge=Charge(info.expected, math.floor(now / DAY), tenant.audio_seconds_per_day),
                    priority=Priority.LOW if tenant.priority is Priority.LOW else wish.priority,
                )
        except BaseException:
            await self._reception.discard(stored)
            raise
        taken = await self._queue(job, stored, idempotency_key)
        span.set(
            {
                "starling.job.id": taken.job_id,
                "starling.tenant": tenant.name,
                "starling.size_bytes": info.size,
                "starling.codec": info.codec,
            }
        )
        if info.duration is not None:
            span.set({"starling.audio_seconds": info.duration})
        if taken.job_id != job.job_id:
            await self._reception.discard(stored)
            return taken
        await self._check_account(principal.tenant, taken)
        self._metrics.jobs_submitted.inc()
        self._metrics.upload_bytes.inc(info.size)
        ids = {"trace_id": trace_id, **log_ids(span.context)}
        log.info("job submitted", job_id=job.job_id, **ids, tenant_id=tenant.name, bytes=info.size, codec=info.codec)
        return taken

    async def _queue(self, job: Job, stored: Stored, idempotency_key: str) -> Job:
        """A store that did not answer may have taken it all the same, and a job must not lose its recording.

        So it stays where nobody knows: retention finds what no job names.
        """
        try:
            with self._counted():
                return await self._store.submit(job, idempotency_key=idempotency_key)
        except ClientError:
            await self._reception.discard(stored)
            raise
        except StarlingError:
            with suppress(StarlingError):
                if await self._store.unnamed([stored.key]):
                    await self._reception.discard(stored)
            raise

    async def _check_account(self, tenant: Tenant, job: Job) -> None:
        """Take back a job that is longer than its tenant may have: not before it is known that it was not handed in already."""
        if job.recording.duration is None:
            await self._accounts.charged(tenant.name)
            return
        try:
            with self._counted(), suppress(StoreUnavailable):  # it is taken in whatever happens here
                await self._accounts.check_length(tenant, job.recording.duration, charged=True)
        except QuotaExceeded:
            await self._store.delete(job.job_id)
            await self._recordings.delete(job.recording.key)
            await self._accounts.charged(tenant.name)
            raise

    async def _look(self, stored: Stored) -> RecordingInfo:
        if stored.size == 0:
            raise CorruptAudio("expected a recording, got a file without a byte in it")
        file = await self._recordings.open(stored.key)
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
        most = self._options.max_duration
        if info.duration is not None and info.duration > most:
            raise FrameTooLarge(f"a recording may last {most:g} s at most, this one says it lasts {info.duration:.0f} s")

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
