"""``GET /api/v1/stats`` and ``/api/v1/health``: how the whole platform is, for a dashboard and for whoever watches it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse

from starling.gateway.access import address_of
from starling.gateway.gateway import Gateway
from starling.gateway.recordings import views
from starling.gateway.recordings.desk import Desk
from starling.gateway.recordings.figures import FINAL, PARTIAL, Figures
from starling.gateway.recordings.problems import problems
from starling.gateway.recordings.readings import CPU, RESIDENT, Readings
from starling.gateway.recordings.series import STEP
from starling.version import __version__

MEMORY: Final = Path("/proc/meminfo")

ERRORS: Final = {
    "sessions_refused": "starling_sessions_refused_total",
    "recordings_refused": "starling_jobs_refused_total",
    "process_failures": "starling_process_failures_total",
    "callbacks_given_up": "starling_callbacks_total",
    "jobs_failed": "starling_job_attempts_total",
}

ONLY: Final = {"callbacks_given_up": "given_up", "jobs_failed": "failed"}
"""The label that counts, of what counts more than errors."""


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
    cpu: float = Field(description="cores that Starling's processes use, those included that are not in `processes`")
    memory: int = Field(description="resident bytes of the same; what several share counts once where the kernel says so (PSS)")
    memory_total: int = Field(description="bytes of the host")
    memory_available: int
    processes: dict[str, ProcessView]
    recognizers: int = Field(description="that are ready")
    sessions: int
    audio_rate: float = Field(description="seconds of live audio that come in a second")
    words_rate: float = Field(description="words of live speech a second")
    submitted_rate: float = Field(description="recordings handed in a second")
    recorded_audio_rate: float = Field(description="seconds of sound a second in the recordings that were done")
    uploads: int
    final_latency: Quantiles
    first_partial_latency: Quantiles
    queue: views.QueueView
    errors: dict[str, int] = Field(description="since the start")
    errors_by_reason: dict[str, dict[str, int]]


class SeriesView(BaseModel):
    """How the platform was, by what was measured: each list has a value for each moment of `at`, null where nobody knows.

    `cpu` in cores, `memory` in bytes as in `/stats`, latencies in seconds and over the minute before, audio in seconds of sound a
    second, failures and refusals a minute.
    """

    step: float = Field(description="seconds between two points")
    cores: int
    memory_total: int = Field(description="bytes of the host")
    columns: dict[str, list[float | None]]


class HealthView(BaseModel):
    """Whether recordings are taken in."""

    status: Literal["ok", "starting", "draining"]
    version: str
    model: str | None = Field(description="null until a recognizer has said which one it has")


def watching(gateway: Gateway, desk: Desk, figures: Figures) -> APIRouter:
    """The routes of those who watch."""
    router = APIRouter()

    @router.get("/stats", responses=problems(), summary="How the platform is")
    async def stats(request: Request) -> Statistics:
        """CPU, memory, queue, sessions, latencies, throughput and errors, at most a second old. Needs the key of an operator."""
        gateway.identify_operator(request.headers, address_of(request))
        await figures.look()
        return _statistics(figures.readings, desk.wall(), views.queue(await desk.store.state(tenant=None, now=desk.wall())))

    @router.get("/stats/series", responses=problems(), summary="How the platform was")
    async def series(
        request: Request,
        after: Annotated[float, Query(description="Unix seconds: only what was later", allow_inf_nan=False)] = 0.0,
    ) -> SeriesView:
        """The last quarter of an hour, a point every few seconds. Needs the key of an operator."""
        gateway.identify_operator(request.headers, address_of(request))
        return SeriesView(step=STEP, cores=_cores(), memory_total=_memory()[0], columns=figures.series.columns(after))

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


def _statistics(readings: Readings, at: float, queue: views.QueueView) -> Statistics:
    total, available = _memory()
    return Statistics(
        at=at,
        window=round(readings.span, 3),
        cores=_cores(),
        load=round(os.getloadavg()[0], 2),
        cpu=round(readings.cpu, 3),
        memory=readings.memory,
        memory_total=total,
        memory_available=available,
        processes={
            name: ProcessView(cpu=round(readings.rate(CPU, name), 3), memory=int(readings.value(RESIDENT, name)))
            for name in readings.processes
        },
        recognizers=int(readings.value("starling_workers_ready")),
        sessions=int(readings.value("starling_sessions_active")),
        audio_rate=round(readings.rate("starling_audio_in_seconds_total"), 3),
        words_rate=round(readings.rate("starling_words_total"), 3),
        submitted_rate=round(readings.rate("starling_jobs_submitted_total"), 3),
        recorded_audio_rate=round(readings.rate("starling_job_audio_seconds_total"), 3),
        uploads=int(readings.value("starling_uploads")),
        final_latency=_quantiles(readings, FINAL),
        first_partial_latency=_quantiles(readings, PARTIAL),
        queue=queue,
        errors={name: sum(_counted(readings, name).values()) for name in ERRORS},
        errors_by_reason={name: _counted(readings, name) for name in ERRORS},
    )


def _counted(readings: Readings, name: str) -> dict[str, int]:
    """By reason, those that happened."""
    found = readings.counted(ERRORS[name])
    return {reason: int(count) for reason, count in found.items() if count and ONLY.get(name) in {None, reason}}


def _quantiles(readings: Readings, name: str) -> Quantiles:
    p50, p95, p99 = (readings.quantile(name, part) for part in (0.5, 0.95, 0.99))
    return Quantiles(p50=p50, p95=p95, p99=p99)


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _memory() -> tuple[int, int]:
    """Bytes of the host, and those that are free for programs."""
    try:
        lines = MEMORY.read_text().splitlines()
    except OSError:
        return 0, 0
    found = {line.partition(":")[0]: line.split()[1] for line in lines if len(line.split()) > 1}
    return int(found.get("MemTotal", 0)) << 10, int(found.get("MemAvailable", 0)) << 10
