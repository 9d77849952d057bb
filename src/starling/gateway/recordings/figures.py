"""The figures of the platform: read from the metrics of all its processes, when somebody asks and every few seconds anyway."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final

from starling.core.errors import StarlingError
from starling.core.job_store import JobStore
from starling.core.jobs import QueueState
from starling.gateway.ports import Ports
from starling.gateway.recordings.consumption import consumption
from starling.gateway.recordings.readings import Reading, Readings, read
from starling.gateway.recordings.series import SMOOTHED, STEP, Point, Series
from starling.telemetry.logs import get_logger
from starling.telemetry.metrics import render

log = get_logger(__name__)

FINAL: Final = "starling_final_latency_seconds"
PARTIAL: Final = "starling_first_partial_latency_seconds"
MINUTE: Final = 60


class Figures:
    """``wall``: seconds since 1970."""

    def __init__(self, ports: Ports, store: JobStore, wall: Callable[[], float]) -> None:
        self._ports = ports
        self._store = store
        self._wall = wall
        self._lately = Readings(SMOOTHED)
        self._looking = asyncio.Lock()
        self.readings = Readings()
        self.series = Series()

    async def look(self) -> None:
        """Read what all processes say, unless that was done within the last second."""
        async with self._looking:
            if self.readings.due(self._ports.clock.now()):
                self.readings.add(await self._read())

    async def run(self) -> None:
        """For ever: keep a point of the charts every STEP."""
        while True:
            await asyncio.sleep(STEP)
            await self.keep()

    async def keep(self) -> None:
        """Keep one point."""
        async with self._looking:
            reading = await self._read()
            self.readings.add(reading)
            self._lately.add(reading)
        self.series.add(self._point(await self._queue()))

    async def _read(self) -> Reading:
        everybodys = self._ports.exposition
        page = render(self._ports.metrics) if everybodys is None else await everybodys()
        return await asyncio.to_thread(self._parse, page, self._ports.clock.now())

    def _parse(self, page: bytes, now: float) -> Reading:
        # Some 25 ms for the pages and processes of a host: too long for the event loop that carries everybody's audio.
        return read(page.decode(), now, consumption(self._ports.root or os.getpid()))

    async def _queue(self) -> QueueState | None:
        try:
            return await self._store.state(tenant=None, now=self._wall())
        except StarlingError as error:
            log.warning("queue unknown", code=error.code)
            return None

    def _point(self, queue: QueueState | None) -> Point:
        lately, minute = self._lately, self.readings
        failed = lately.gained("starling_job_attempts_total").get("failed", 0.0)
        broken = sum(lately.gained("starling_process_failures_total").values())
        span = lately.span or STEP
        return Point(
            at=round(self._wall(), 3),
            cpu=round(lately.cpu, 3),
            memory=lately.memory,
            sessions=int(lately.value("starling_sessions_active")),
            recognizers=int(lately.value("starling_workers_ready")),
            transcribers=None if queue is None else len(queue.workers),
            queued=None if queue is None else queue.queued,
            running=None if queue is None else queue.running,
            live_audio=round(lately.rate("starling_audio_in_seconds_total"), 3),
            recorded_audio=round(lately.rate("starling_job_audio_seconds_total"), 3),
            final_p50=_rounded(minute.quantile(FINAL, 0.5)),
            final_p95=_rounded(minute.quantile(FINAL, 0.95)),
            final_p99=_rounded(minute.quantile(FINAL, 0.99)),
            partial_p95=_rounded(minute.quantile(PARTIAL, 0.95)),
            failures=round((failed + broken) * MINUTE / span, 2),
            refusals=round(
                (lately.rate("starling_sessions_refused_total") + lately.rate("starling_jobs_refused_total")) * MINUTE, 2
            ),
        )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)
