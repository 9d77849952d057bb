"""``GET /api/v1/stats`` and ``/api/v1/health``: how the whole platform is, for a dashboard and for whoever watches it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any, Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse

from starling.gateway.access import address_of
from starling.gateway.gateway import Gateway
from starling.gateway.recordings import views
from starling.gateway.recordings.desk import Desk
from starling.gateway.recordings.problems import problems
from starling.gateway.recordings.readings import Readings, read
from starling.telemetry.metrics import render
from starling.version import __version__

CPU: Final = "process_cpu_seconds_total"
RESIDENT: Final = "process_resident_memory_bytes"
MEMORY: Final = Path("/proc/meminfo")

ERRORS: Final = {
    "sessions_refused": "starling_sessions_refused_total",
    "recordings_refused": "starling_jobs_refused_total",
    "process_failures": "starling_process_failures_total",
    "callbacks_given_up": "starling_callbacks_total",
}


class ProcessView(BaseModel):
    """One process. ``cpu``: cores it uses."""

    cpu: float
    memory: int = Field(description="resident bytes")


class Quantiles(BaseModel):
    """Of what was measured in the window, in seconds; null where nothing was."""

    p50: float | None
    p95: float | None
    p99: float | None


class Statistics(BaseModel):
    """How the platform is. Rates and quantiles are over ``window``."""

    at: float = Field(description="Unix seconds")
    window: float = Field(description="seconds between the first reading that counts and now; it grows to 60")
    cores: int
    load: float = Field(description="of the host, over a minute")
    cpu: float = Field(description="cores that Starling uses")
    memory: int = Field(description="resident bytes of Starling")
    memory_total: int = Field(description="bytes of the host")
    memory_available: int
    processes: dict[str, ProcessView]
    recognizers: int = Field(description="that are ready")
    sessions: int
    audio_rate: float = Field(description="seconds of live audio that come in a second")
    words_rate: float = Field(description="words of live speech a second")
    submitted_rate: float = Field(description="recordings handed in a second")
    uploads: int
    final_latency: Quantiles
    first_partial_latency: Quantiles
    queue: views.QueueView
    errors: dict[str, int] = Field(description="since the start")
    errors_by_reason: dict[str, dict[str, int]]


class HealthView(BaseModel):
    """Whether recordings are taken in."""

    status: Literal["ok", "starting", "draining"]
    version: str
    model: str | None = Field(description="null until a recognizer has said which one it has")


def watching(gateway: Gateway, desk: Desk) -> APIRouter:
    """The routes of those who watch."""
    router = APIRouter()
    readings = Readings()
    looking = asyncio.Lock()

    @router.get("/stats", responses=problems(), summary="How the platform is")
    async def stats(request: Request) -> Statistics:
        """CPU, memory, queue, sessions, latencies, throughput and errors, at most a second old. Needs the key of an operator."""
        gateway.identify_operator(request.headers, address_of(request))
        async with looking:
            if readings.due(gateway.ports.clock.now()):
                page = await _page(gateway)
                readings.add(read(page, gateway.ports.clock.now()))
        return _statistics(readings, desk.wall(), views.queue(await desk.store.state(tenant=None, now=desk.wall())))

    return router


def living(gateway: Gateway, desk: Desk) -> APIRouter:
    """The route of those who only want to know whether to come."""
    router = APIRouter()

    @router.get("/health", responses={**problems(), 503: {"model": HealthView}}, summary="Whether recordings are taken in")
    async def health() -> JSONResponse:
        """Recordings are taken in from the start on, also while nobody can transcribe them yet. Needs no key."""
        known = gateway.ability.known
        status: Literal["ok", "starting", "draining"]
        status = "draining" if desk.drained.is_set() else "ok" if known is not None else "starting"
        view = HealthView(status=status, version=__version__, model=None if known is None else known.model)
        return JSONResponse(view.model_dump(), 200 if status == "ok" else 503)

    return router


async def _page(gateway: Gateway) -> str:
    everybodys = gateway.ports.exposition
    page = render(gateway.ports.metrics) if everybodys is None else await everybodys()
    return page.decode()


def _statistics(readings: Readings, at: float, queue: views.QueueView) -> Statistics:
    last = readings.last
    total, available = _memory()
    return Statistics(
        at=at,
        window=round(readings.span, 3),
        cores=len(os.sched_getaffinity(0)),
        load=round(os.getloadavg()[0], 2),
        cpu=round(sum(readings.process_rate(name, CPU) for name in last.by_process), 3),
        memory=int(last.totals.get(RESIDENT, 0)),
        memory_total=total,
        memory_available=available,
        processes={
            name: ProcessView(cpu=round(readings.process_rate(name, CPU), 3), memory=int(found.get(RESIDENT, 0)))
            for name, found in last.by_process.items()
        },
        recognizers=int(last.totals.get("starling_workers_ready", 0)),
        sessions=int(last.totals.get("starling_sessions_active", 0)),
        audio_rate=round(readings.rate("starling_audio_in_seconds_total"), 3),
        words_rate=round(readings.rate("starling_words_total"), 3),
        submitted_rate=round(readings.rate("starling_jobs_submitted_total"), 3),
        uploads=int(last.totals.get("starling_uploads", 0)),
        final_latency=_quantiles(readings, "starling_final_latency_seconds"),
        first_partial_latency=_quantiles(readings, "starling_first_partial_latency_seconds"),
        queue=queue,
        errors={name: int(sum(_counted(last.by_label.get(metric, {}), name).values())) for name, metric in ERRORS.items()},
        errors_by_reason={name: _counted(last.by_label.get(metric, {}), name) for name, metric in ERRORS.items()},
    )


def _counted(found: Any, name: str) -> dict[str, int]:
    """By reason, those that happened."""
    only = {"given_up"} if name == "callbacks_given_up" else None
    return {reason: int(count) for reason, count in found.items() if count and (only is None or reason in only)}


def _quantiles(readings: Readings, name: str) -> Quantiles:
    p50, p95, p99 = (readings.quantile(name, part) for part in (0.5, 0.95, 0.99))
    return Quantiles(p50=p50, p95=p95, p99=p99)


def _memory() -> tuple[int, int]:
    """Bytes of the host, and those that are free for programs."""
    try:
        lines = MEMORY.read_text().splitlines()
    except OSError:
        return 0, 0
    found = {line.partition(":")[0]: line.split()[1] for line in lines if len(line.split()) > 1}
    return int(found.get("MemTotal", 0)) << 10, int(found.get("MemAvailable", 0)) << 10
