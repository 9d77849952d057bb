"""The transcriber: as many loops as there are slots, each of which takes a job, does it, and takes the next.

Some loops take only what somebody waits for, so that nobody who waits stands behind a recording of hours; and the others do not
take such jobs twice in a row while there is anything else, so that those do not keep recordings from ever being begun.
A slot whose job had its turn takes that of a tenant that has nothing at work instead, see ``sharing``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress
from typing import Final

from starling.core.errors import StarlingError
from starling.core.jobs import Claim
from starling.core.load import Priority
from starling.telemetry.logs import get_logger
from starling.transcriber.attempt import Attempt, Outcome
from starling.transcriber.options import TranscriberOptions
from starling.transcriber.ports import Ports
from starling.transcriber.sharing import TURN, WAITED, gives_way_to

log = get_logger(__name__)

PATIENCE: Final = 10.0
"""Seconds between two looks at a store that does not answer, or for a scribe where there was none."""

ANY: Final = tuple(Priority)
URGENT: Final = (Priority.HIGH,)
"""Those that somebody waits for."""

PATIENT: Final = tuple(priority for priority in Priority if priority not in URGENT)
"""The others."""


class Transcriber:
    """``name``: of this one among all that share the store."""

    def __init__(self, name: str, options: TranscriberOptions, ports: Ports) -> None:
        self._name = name
        self._options = options
        self._ports = ports
        self._asking = asyncio.Lock()  # of those that take urgent jobs only one looks for any

    async def run(self) -> None:
        """Transcribe for ever. Cancelled, it gives back what it has, which another one then goes on with."""
        async with asyncio.TaskGroup() as slots:
            for number in range(self._options.slots):
                slots.create_task(self._serve(f"{self._name}/{number}"), name=f"slot {number}")
            for number in range(self._options.slots, self._options.slots + self._options.express):
                slots.create_task(self._serve(f"{self._name}/{number}", express=True), name=f"express slot {number}")

    async def _serve(self, worker: str, *, express: bool = False) -> None:
        urgent, instead = False, None
        while True:
            if instead is not None:
                claim = instead
            elif express:
                async with self._asking:
                    claim = await self._next(worker, URGENT)
            else:
                claim = await self._next(worker, *((PATIENT, ANY) if urgent else (ANY,)))
            urgent = claim.job.priority in URGENT
            self._ports.metrics.jobs_in_work.inc()
            try:
                instead = await self._attempt(claim, urgent_only=express)
            finally:
                self._ports.metrics.jobs_in_work.dec()

    async def _attempt(self, claim: Claim, *, urgent_only: bool) -> Claim | None:
        """Work on a job until it is over, or gives way: then the claim that it gave way to."""
        attempt = Attempt(claim, self._options, self._ports)
        working = asyncio.create_task(attempt.run(), name="attempt")
        instead = None
        try:
            while instead is None and not (await asyncio.wait((working,), timeout=self._options.beat))[0]:
                if self._ports.time() >= attempt.fruitful_since + TURN:
                    instead = await self._left_out(claim, urgent_only=urgent_only)
            await _given_back(working)
        except BaseException:  # this slot ends, perhaps while one job gives way to another
            await _given_back(working)
            if instead is not None:
                with suppress(StarlingError, OSError):
                    await self._ports.store.release(instead, now=self._ports.time())
            raise
        try:
            rests = not working.cancelled() and working.result() is Outcome.RELEASED
        except Exception:  # a bug: the lease runs out, and the job has used up an attempt
            log.exception("attempt crashed", job_id=claim.job.job_id)
            rests = True
        if rests and instead is None:
            await asyncio.sleep(PATIENCE)
        return instead

    async def _left_out(self, claim: Claim, *, urgent_only: bool) -> Claim | None:
        """The next job of a tenant that has nothing at work, for which that of ``claim`` gives way."""
        now = self._ports.time()
        wanted = gives_way_to(claim.job.priority, urgent_only=urgent_only)
        try:
            found = await self._ports.store.claim(
                claim.worker, now=now, lease=self._options.lease, priorities=wanted, left_out=now - WAITED
            )
        except (StarlingError, OSError):
            return None  # the lease is not renewed either, which is said there
        if found is not None:
            log.info("job gives way", job_id=claim.job.job_id, trace_id=claim.job.trace_id, other_job_id=found.job.job_id)
        return found

    async def _next(self, worker: str, *wanted: Collection[Priority]) -> Claim:
        """The next job of the first of ``wanted`` that there are any of."""
        store, lease = self._ports.store, self._options.lease
        while True:
            wait = self._options.poll
            try:
                for priorities in wanted:
                    claim = await store.claim(worker, now=self._ports.time(), lease=lease, priorities=priorities)
                    if claim is not None:
                        return claim
            except (StarlingError, OSError) as error:
                log.warning("no jobs to be had", worker=worker, reason=str(error))
                wait = PATIENCE
            await asyncio.sleep(wait * (0.5 + self._ports.draw()))


async def _given_back(working: asyncio.Task[Outcome]) -> None:
    """End an attempt, which gives its job back unless that is over. Told once: told twice, it would leave that undone."""
    if not working.cancelling():
        working.cancel()
    await asyncio.wait((working,))
