"""The transcriber: as many loops as there are slots, each of which takes a job, does it, and takes the next."""

from __future__ import annotations

import asyncio
from typing import Final

from starling.core.errors import StarlingError
from starling.core.jobs import Claim
from starling.telemetry.logs import get_logger
from starling.transcriber.attempt import Attempt, Outcome
from starling.transcriber.options import TranscriberOptions
from starling.transcriber.ports import Ports

log = get_logger(__name__)

PATIENCE: Final = 10.0
"""Seconds between two looks at a store that does not answer, or for a scribe where there was none."""


class Transcriber:
    """``name``: of this one among all that share the store."""

    def __init__(self, name: str, options: TranscriberOptions, ports: Ports) -> None:
        self._name = name
        self._options = options
        self._ports = ports

    async def run(self) -> None:
        """Transcribe for ever. Cancelled, it gives back what it has, which another one then goes on with."""
        async with asyncio.TaskGroup() as slots:
            for number in range(self._options.slots):
                slots.create_task(self._serve(f"{self._name}/{number}"), name=f"slot {number}")

    async def _serve(self, worker: str) -> None:
        while True:
            claim = await self._next(worker)
            self._ports.metrics.jobs_in_work.inc()
            try:
                if await Attempt(claim, self._options, self._ports).run() is Outcome.RELEASED:
                    await asyncio.sleep(PATIENCE)
            except Exception:  # a bug: the lease runs out, and the job has used up an attempt
                log.exception("attempt crashed", job_id=claim.job.job_id)
                await asyncio.sleep(PATIENCE)
            finally:
                self._ports.metrics.jobs_in_work.dec()

    async def _next(self, worker: str) -> Claim:
        while True:
            wait = self._options.poll
            try:
                claim = await self._ports.store.claim(worker, now=self._ports.time(), lease=self._options.lease)
            except (StarlingError, OSError) as error:
                log.warning("no jobs to be had", worker=worker, reason=str(error))
                wait = PATIENCE
            else:
                if claim is not None:
                    return claim
            await asyncio.sleep(wait * (0.5 + self._ports.draw()))
