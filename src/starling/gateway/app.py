"""The web application: routes, and the headers that keep browsers safe."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from starling.core.errors import Forbidden, StarlingError, StoreUnavailable
from starling.gateway.client_secrets import client_secrets
from starling.gateway.gateway import Gateway
from starling.gateway.operations import operations
from starling.gateway.recordings.routes import routes
from starling.gateway.recordings.voices import Trouble, invalid, refuse, trouble_of
from starling.gateway.telling import telling
from starling.protocols.dialects import Dialect
from starling.version import __version__

CONSOLE: Final = Path(__file__).parent / "console"
API_PAGE: Final = Path(__file__).parent / "apidocs"

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; worker-src 'self'; "
        "media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

NOWHERE: Final = (
    "nothing is at this path: the console is at /, the dashboard at /dashboard, speech is taken by a WebSocket at /v1/stream; "
    "recordings by /api/v1, which /docs shows; programs find /healthz /readyz /status /metrics /v1/admission /v1/sessions "
    "/openapi.json"
)

PLAIN_REFUSALS: Final = {
    404: ("not_found", NOWHERE),
    405: ("method_not_allowed", "this path takes no such method: see /openapi.json for the one it takes"),
    426: ("upgrade_required", "expected the upgrade to a WebSocket, got a plain request: use a WebSocket client"),
}
"""Code and message by HTTP status, of requests that never were a session."""


def create_app(gateway: Gateway) -> FastAPI:
    """The routes of ``gateway``. FastAPI's API pages are off: they load scripts from elsewhere. Ours reads their document."""
    app = FastAPI(title="Starling", version=__version__, docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    app.add_middleware(Shield, gateway=gateway)
    app.include_router(operations(gateway))
    if gateway.desk is not None:
        for router in routes(gateway, gateway.desk):
            app.include_router(router)
        _explain(app)
    else:
        _refuse_recordings(app)

    _answer_errors(app)

    @app.get("/v1/stream", include_in_schema=False)
    async def no_upgrade() -> JSONResponse:
        return unrouted(426, {"Upgrade": "websocket", "Connection": "Upgrade"})

    @app.websocket("/v1/stream")
    async def stream(websocket: WebSocket) -> None:
        await gateway.serve(websocket)

    @app.get("/dashboard", include_in_schema=False)
    async def dashboard() -> FileResponse:
        return FileResponse(CONSOLE / "dashboard" / "index.html")

    _speak_dialects(app, gateway)

    app.include_router(telling(gateway))

    @app.websocket("/{path:path}")
    async def nowhere(websocket: WebSocket) -> None:
        await websocket.send_denial_response(unrouted(404))

    app.mount("/", StaticFiles(directory=CONSOLE, html=True))
    return app


def _refuse_recordings(app: FastAPI) -> None:
    """Say of every path of recorded audio why it is not served."""

    async def refuse_it(_: Request) -> JSONResponse:
        raise StoreUnavailable(
            "this server could not open where it keeps jobs or recordings when it started, and serves live captions only: "
            "its log says why; mend that (`starling doctor`) and start it again"
        )

    for path in ("/api/v1/{path:path}", "/v1/audio/{path:path}"):
        app.add_route(path, refuse_it, methods=["GET", "POST", "DELETE"], include_in_schema=False)


def _explain(app: FastAPI) -> None:
    """The API's page."""
    app.add_route("/docs", lambda _: FileResponse(API_PAGE / "index.html"), include_in_schema=False)
    app.mount("/docs", StaticFiles(directory=API_PAGE))


def create_dialect_app(gateway: Gateway, dialect: Dialect) -> FastAPI:
    """What is on a port of ``dialect``'s own: its WebSocket, on every path."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Shield, gateway=gateway)
    _answer_errors(app)

    async def no_upgrade(_: Request) -> JSONResponse:
        return unrouted(426, {"Upgrade": "websocket", "Connection": "Upgrade"})

    app.add_route("/{path:path}", no_upgrade)
    app.router.add_websocket_route("/{path:path}", partial(_stream, gateway, dialect))
    return app


def _speak_dialects(app: FastAPI, gateway: Gateway) -> None:
    for spoken in gateway.options.protocols:
        if spoken.dialect.has_secrets:
            app.include_router(client_secrets(gateway, spoken.dialect))
        for path in spoken.dialect.paths:
            app.router.add_websocket_route(path, partial(_stream, gateway, spoken.dialect))


async def _stream(gateway: Gateway, dialect: Dialect, websocket: WebSocket) -> None:
    await gateway.serve_dialect(websocket, dialect)


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(HTTPException)
    async def no_route(request: Request, error: HTTPException) -> JSONResponse:
        return unrouted(error.status_code, error.headers, request.url.path)

    @app.exception_handler(RequestValidationError)
    async def invalid_request(request: Request, error: RequestValidationError) -> JSONResponse:
        return refuse(request.url.path, invalid(error))

    @app.exception_handler(StarlingError)
    async def refused(request: Request, error: StarlingError) -> JSONResponse:
        return refuse(request.url.path, trouble_of(error))


def unrouted(status: int, headers: Mapping[str, str] | None = None, path: str = "") -> JSONResponse:
    """The answer to a request that no route takes, in the shape that clients of ``path`` expect."""
    code, message = PLAIN_REFUSALS.get(status, ("invalid_request", "expected a request as in docs/protocol.md, got another"))
    return refuse(path, Trouble(status, code, message, headers=headers or {}))


class Shield:
    """ASGI middleware: refuses foreign Host headers and adds SECURITY_HEADERS to every response."""

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self._app = app
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                # The console's files are revalidated by their ETag, so that a new release shows at once; the rest is not kept.
                headers["Cache-Control"] = "no-cache" if "etag" in headers else "no-store"
            await send(message)

        try:
            self._gateway.guard.check_host(Headers(scope=scope).get("host"))
        except Forbidden as error:
            self._gateway.ports.metrics.sessions_refused.labels(reason="forbidden").inc()
            response = refuse(scope["path"], trouble_of(error))
            if scope["type"] == "websocket":
                await WebSocket(scope, receive, guarded).send_denial_response(response)
            else:
                await response(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)
