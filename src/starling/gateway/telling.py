"""What others may know of this process: whether it lives, whether it is ready, its metrics and how it is."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse

from starling.gateway.access import address_of, is_local
from starling.gateway.gateway import Gateway
from starling.gateway.operations import REFUSALS
from starling.telemetry.metrics import CONTENT_TYPE, render
from starling.version import __version__


class Liveness(BaseModel):
    """Whether this process works."""

    live: bool


class ComponentView(BaseModel):
    """A part of it."""

    state: str
    reason: str = Field(description="why it is not ready")


class Readiness(Liveness):
    """Whether sessions are taken."""

    ready: bool
    components: dict[str, ComponentView]


class Version(BaseModel):
    """What runs here."""

    version: str
    model: str | None = Field(description="null as long as no recognizer has said which one it has")
    model_version: str | None


GUARDED: Final[dict[int | str, dict[str, Any]]] = {status: REFUSALS[status] for status in (401, 403, 429, 503)}
PAGE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "in Prometheus' text format", "content": {"text/plain": {"schema": {"type": "string"}}}}
}


def telling(gateway: Gateway) -> APIRouter:
    """The routes of ``gateway`` for whoever watches it. ``/metrics`` and ``/status`` are for operators and this machine."""
    router = APIRouter()

    @router.get("/healthz", responses={503: {"model": Liveness}}, response_model=Liveness)
    async def healthz() -> JSONResponse:
        live = gateway.health.live
        return JSONResponse({"live": live}, 200 if live else 503)

    @router.get("/readyz", responses={503: {"model": Readiness}}, response_model=Readiness)
    async def readyz() -> JSONResponse:
        return JSONResponse(gateway.health.report(), 200 if gateway.health.ready else 503)

    @router.get("/metrics", response_class=Response, responses={**GUARDED, **PAGE})
    async def metrics(request: Request) -> Response:
        _check(request)
        everybodys = gateway.ports.exposition
        page = render(gateway.ports.metrics) if everybodys is None else await everybodys()
        return Response(page, headers={"Content-Type": CONTENT_TYPE})

    @router.get("/status", responses=GUARDED)
    async def status(request: Request) -> dict[str, Any]:
        _check(request)
        return gateway.status()

    @router.get("/version")
    async def version() -> Version:
        able = gateway.ability.known
        model, model_version = (None, None) if able is None else (able.model, able.model_version)
        return Version(version=__version__, model=model, model_version=model_version)

    def _check(request: Request) -> None:
        if not gateway.access.open and not is_local(request.headers, address_of(request)):
            gateway.access.identify_operator(request.headers, address_of(request))

    return router
