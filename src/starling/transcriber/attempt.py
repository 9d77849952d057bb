"""One attempt at a job: from its claim to whatever becomes of it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from enum import StrEnum
from functools import partial
from typing import Final, TypeVar

from starling.core.backoff import jittered
from starling.core.errors import ClaimLost, ClientError, QuotaExceeded, ServerError, StarlingError
from starling.core.jobs import DAY, Claim, JobError, JobSegment
from starling.core.load import Priority
from starling.core.records import Checkpoint
from starling.telemetry.logs import get_logger
from starling.telemetry.spans import SpanKind, SpanName, log_ids
from starling.transcriber.messages import Order, Told
from starling.transcriber.options import TranscriberOptions
from starling.transcriber.ports import NoScribe, Ports, Undone

log = get_logger(__name__)

AGAIN: Final = 1.0
"""Seconds after which a store that did not answer is asked again."""

T = TypeVar("T")


class Outcome(StrEnum):
    """What became of an attempt. ``LOST``: somebody else has the job now, or nobody wants it. ``RELEASED``: we had to leave,
    or there was no scribe.
    """

    DONE = "done"
    FAILED = "failed"
    POSTPONED = "postponed"
    LOST = "lost"
    RELEASED = "released"


class Attempt:
    """``claim``: the right to it. ``run`` it once. ``fruitful_since``: Unix seconds, when the first that was found was kept."""

    def __init__(self, claim: Claim, options: TranscriberOptions, ports: Ports) -> None:
        self._claim = claim
        self._options = options
        self._ports = ports
        self._done = claim.job.done
        self._outcome: Outcome | None = None
        self._span = ports.tracer.below(claim.job.span, SpanName.ATTEMPT, kind=SpanKind.CONSUMER)
        self._ids = {"job_id": claim.job.job_id, "trace_id": claim.job.trace_id, **log_ids(self._span.context)}
        self._error = ""
        self.fruitful_since = math.inf

    async def run(self) -> Outcome:
        """Until the job is over, or not ours any more. Cancelled, it gives the job back as it is: the next one goes on there."""
        job, metrics = self._claim.job, self._ports.metrics
        metrics.job_wait.observe(max(0.0, self._ports.time() - job.created))
        log.info("job claimed", **self._ids, attempt=job.attempts)
        try:
            await self._while_ours()
        finally:
            if self._outcome is None:  # we are cancelled
                self._outcome = Outcome.RELEASED
                with suppress(StarlingError, OSError):
                    await self._ports.store.release(self._claim, now=self._ports.time())
            metrics.job_attempts.labels(outcome=self._outcome).inc()
            done = round(self._done, 1)
            self._tell(self._outcome)
            log.info("job left", **self._ids, outcome=self._outcome, done_seconds=done)
        return self._outcome

    def _tell(self, outcome: Outcome) -> None:
        """Whoever follows the trace."""
        job = self._claim.job
        self._span.set(
            {
                "starling.job.id": job.job_id,
                "starling.attempt": job.attempts,
                "starling.outcome": outcome,
                "starling.worker": self._claim.worker,
            }
        )
        if outcome is not Outcome.DONE:
            self._span.set({"starling.audio_seconds": self._done})
        self._span.end(error="" if outcome is Outcome.DONE else self._error or outcome)

    async def _while_ours(self) -> None:
        """Work on it as long as its lease is renewed."""
        renewing = asyncio.create_task(self._renew(), name="lease")
        working = asyncio.create_task(self._work(), name="work")
        try:
            await asyncio.wait([renewing, working], return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
            else:
                self._outcome = Outcome.LOST
        except ClaimLost:
            self._outcome = Outcome.LOST
        finally:
            renewing.cancel()
            working.cancel()
            await asyncio.wait([renewing, working])

    async def _renew(self) -> None:
        """Give signs of life, which also tell progress. Returns once the job is not ours, or may not be."""
        while self._ports.time() < self._claim.until:
            await asyncio.sleep(self._options.beat)
            try:
                self._claim = await self._ports.store.heartbeat(
                    self._claim, done=self._done, now=self._ports.time(), lease=self._options.lease
                )
            except ClaimLost:
                return
            except (StarlingError, OSError) as error:
                log.warning("lease not renewed", **self._ids, reason=str(error))

    async def _check_account(self, done: float) -> None:
        """Raises QuotaExceeded where ``done`` seconds are more than the header said, or it said nothing, and more than the tenant
        may have.
        """
        job, charge = self._claim.job, self._claim.job.charge
        if charge is None or charge.limit is None or (job.recording.duration is not None and done <= job.recording.duration):
            return
        spent = await self._insist(partial(self._ports.store.spent, job.tenant, day=charge.day))
        others = spent - max(charge.audio, self._done)  # this one is charged what was told of it, or what was expected
        if others + done > charge.limit:
            tenant, limit = job.tenant, charge.limit
            raise QuotaExceeded(
                f"the recording goes on beyond {self._done:.1f} s, its header says {_said(job.recording.duration)}, and tenant "
                f"{tenant} has used its {limit:g} s of audio of the day: hand it in again after midnight UTC",
                gate="tenant",
                retry_after=DAY - self._ports.time() % DAY,
            )

    async def _work(self) -> None:
        job, began = self._claim.job, self._done
        order = Order(
            job_id=job.job_id,
            trace_id=job.trace_id,
            config=job.options.config,
            channels=job.options.channels,
            checkpoints=self._claim.checkpoints,
            max_duration=self._options.max_duration,
            size=job.recording.size,
            urgent=job.priority is Priority.HIGH,
        )
        try:
            with closing(await self._ports.recordings.open(job.recording.key)) as file:
                over = await self._ports.scribes.transcribe(order, file, self._keep)
        except ClaimLost:
            raise
        except NoScribe as error:
            log.warning("no scribe to be had", **self._ids, reason=str(error))
            await self._insist(lambda: self._ports.store.release(self._claim, now=self._ports.time()))
            self._outcome = Outcome.RELEASED
        except Undone as undone:
            await self._fail(undone.error)
        except StarlingError as error:
            await self._fail(JobError(code=error.code, message=error.message, final=isinstance(error, ClientError)))
        except OSError as error:
            message = f"the recording cannot be had: {error.strerror or type(error).__name__}"
            await self._fail(JobError(code="recording_unreadable", message=message, final=False))
        except Exception as error:
            log.exception("transcribing failed", **self._ids)
            message = f"transcribing failed by {type(error).__name__}: the log of {self._claim.worker} says more"
            await self._fail(JobError(code=ServerError.code, message=message, final=False))
        else:
            await self._insist(
                lambda: self._ports.store.finish(
                    self._claim, now=self._ports.time(), duration=over.duration, warnings=over.warnings
                )
            )
            for warning in over.warnings:
                log.info("recording has a warning", **self._ids, code=warning.code)
            self._outcome = Outcome.DONE
            self._span.set({"starling.audio_seconds": over.duration, "starling.compute_seconds": over.computed})
            self._ports.metrics.job_audio.inc(over.duration)
            if over.computed > 0:
                self._ports.metrics.job_speed.observe(max(0.0, over.duration - began) / over.computed)

    async def _keep(self, told: Told) -> None:
        """Store what was found. The store knows a segment that it has already, so asking again does no harm.

        Raises QuotaExceeded, having stored nothing, for what its tenant may not have: at each report, and not by and by, for much
        can be found in a second, and queues of short recordings with such headers be long.
        """
        await self._check_account(told.done)
        found: dict[int, tuple[list[JobSegment], Checkpoint]] = {}
        for one in told.found:
            found[one.channel] = ([*found.get(one.channel, ([],))[0], *one.segments], one.checkpoint)
        for channel, (segments, checkpoint) in found.items():
            await self._insist(
                partial(self._ports.store.add, self._claim, segments, channel=channel, checkpoint=checkpoint, done=told.done,
                        now=self._ports.time())
            )  # fmt: skip
        self._done = told.done
        if found:
            self.fruitful_since = min(self.fruitful_since, self._ports.time())

    async def _fail(self, error: JobError) -> None:
        job, now = self._claim.job, self._ports.time()
        log.warning("job attempt failed", **self._ids, code=error.code, final=error.final)
        retry_at = None
        if not error.final:
            first, longest = self._options.first_delay, self._options.longest_delay
            retry_at = now + jittered(job.attempts, first=first, longest=longest, draw=self._ports.draw())
        after = await self._insist(lambda: self._ports.store.fail(self._claim, error, now=self._ports.time(), retry_at=retry_at))
        self._error = error.code
        self._outcome = Outcome.FAILED if after.status.over else Outcome.POSTPONED

    async def _insist(self, call: Callable[[], Awaitable[T]]) -> T:
        """Tell the store, again and again as long as the job is ours."""
        while True:
            try:
                return await call()
            except ClaimLost:
                raise
            except (StarlingError, OSError) as error:
                log.warning("job not stored", **self._ids, reason=str(error))
            await asyncio.sleep(AGAIN)


def _said(duration: float | None) -> str:
    return "nothing of its length" if duration is None else f"{duration:.1f} s"
