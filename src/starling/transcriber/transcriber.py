"""The transcriber: as many loops as there are slots, each of which takes a job, does it, and takes the next.

Some loops take only what somebody waits for, so that nobody who waits stands behind a recording of hours; and the others do not
take such jobs twice in a row while there is anything else, so that those do not keep recordings from ever being begun.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Final

from starling.core.errors import StarlingError
from starling.core.jobs import Claim
from starling.core.load import Priority
from starling.telemetry.logs import get_logger
from starling.transcriber.attempt import Attempt, Outcome
from starling.transcriber.options import TranscriberOptions
from starling.transcriber.ports import Ports

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
        urgent = False
        while True:
            if express:
                async with self._asking:
                    claim = await self._next(worker, URGENT)
            else:
                claim = await self._next(worker, *((PATIENT, ANY) if urgent else (ANY,)))
            urgent = claim.job.priority in URGENT
            self._ports.metrics.jobs_in_work.inc()
            try:
                if await Attempt(claim, self._options, self._ports).run() is Outcome.RELEASED:
                    await asyncio.sleep(PATIENCE)
            except Exception:  # a bug: the lease runs out, and the job has used up an attempt
                log.exception("attempt crashed", job_id=claim.job.job_id)
                await asyncio.sleep(PATIENCE)
            finally:
                self._ports.metrics.jobs_in_work.dec()

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
