"""How a transcriber is: whether where jobs are kept answers, and how many wait there."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from starling.app.jobs import PATIENCE
from starling.core.errors import StarlingError
from starling.core.job_store import JobStore
from starling.core.jobs import QueueState
from starling.telemetry.health import Health, State
from starling.telemetry.logs import get_logger
from starling.telemetry.metrics import Metrics
from starling.telemetry.status import report

log = get_logger(__name__)

ENGINE: Final = "engine"
STORE: Final = "store"

EVERY: Final = 5.0
"""Seconds between two looks."""


class Lookout:
    """Looks at ``store`` and says in ``health`` whether it answers. ``slots``: recordings that are worked on at once."""

    def __init__(self, store: JobStore, health: Health, metrics: Metrics, *, slots: int) -> None:
        self._store = store
        self._health = health
        self._metrics = metrics
        self._slots = slots
        self._state: QueueState | None = None

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Once."""
        try:
            async with asyncio.timeout(PATIENCE):
                self._state = await self._store.state(tenant=None, now=time.time())
        except Exception as error:
            self._state = None
            why = error.message if isinstance(error, StarlingError) else type(error).__name__
            if not isinstance(error, StarlingError | OSError):  # a bug, which is no reason to look no more
                log.exception("lookout failed")
            self._health.set(STORE, State.STARTING, f"where jobs are kept does not answer: {why}")
        else:
            self._health.set(STORE, State.OK)

    def status(self) -> dict[str, Any]:
        """What ``/status`` says: ``queue`` is of all transcribers, ``working`` and counts are of this one."""
        value, state = self._metrics.registry.get_sample_value, self._state
        queue: dict[str, float] = {"limit_jobs": self._slots}
        if state is not None:
            queue |= {"depth_jobs": state.queued, "depth_seconds": round(state.waiting_audio, 3), "running_jobs": state.running}
        told = report("transcriber", self._metrics, self._health, queue=queue, model=None)
        done = value("starling_job_attempts_total", {"outcome": "done"})
        audio = value("starling_job_audio_seconds_total")
        working = value("starling_jobs_in_work")
        counts = {"clients": int(working or 0), "results": int(done or 0), "audio_seconds": round(audio or 0.0, 3)}
        return told | counts | {"transcribers": [] if state is None else list(state.workers)}
