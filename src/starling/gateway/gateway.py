"""The gateway: who is connected, who may be, and how all of them are let go."""

from __future__ import annotations

import asyncio
import math
import re
import secrets
from typing import Final

from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from starling.core.errors import Forbidden, Overloaded, ShuttingDown, StarlingError
from starling.core.languages import match_language
from starling.core.ports import Capabilities
from starling.gateway.admission import GOODBYE, Admission
from starling.gateway.guard import Guard
from starling.gateway.options import GatewayOptions
from starling.gateway.socket import Socket
from starling.gateway.stream import Ports, StreamSession
from starling.protocols.native.adapter import NativeAdapter
from starling.protocols.verbs import Offer
from starling.telemetry.health import Health
from starling.telemetry.logs import get_logger

log = get_logger(__name__)

TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
"""W3C Trace Context, section 3.2."""


class Gateway:
    """Serves WebSocket clients. ``health`` is that of the whole process: nobody is admitted before it is ready.

    Raises InvalidOption when the language of ``options.defaults`` is none of ``capabilities``.
    """

    def __init__(self, options: GatewayOptions, ports: Ports, capabilities: Capabilities, health: Health) -> None:
        self.options = options
        self.ports = ports
        self.capabilities = capabilities
        self.health = health
        self.guard = Guard(options)
        self._admission = Admission(options, ports.board, health, ports.metrics)
        self._offer = Offer(capabilities=capabilities, defaults=options.defaults)
        match_language(options.defaults.language, capabilities.languages)
        self._sessions: set[StreamSession] = set()
        self._left = asyncio.Event()
        ports.metrics.result_backlog.set_function(lambda: sum(session.backlog for session in self._sessions))

    @property
    def active(self) -> int:
        """Sessions that hold a place."""
        return self._admission.active

    async def serve(self, websocket: WebSocket) -> None:
        """One client from its upgrade request on. A refusal is an HTTP response, before the upgrade."""
        try:
            self.guard.check_origin(websocket.headers.get("origin"), websocket.headers.get("host"))
            with self._admission.admit(websocket.client.host if websocket.client else ""):
                await self._converse(websocket)
        except StarlingError as error:
            if isinstance(error, Forbidden):
                self.ports.metrics.sessions_refused.labels(reason="forbidden").inc()
            await websocket.send_denial_response(refusal(error))
        except WebSocketDisconnect:
            pass  # gone before the upgrade was done

    async def _converse(self, websocket: WebSocket) -> None:
        await websocket.accept()
        session = StreamSession(
            Socket(websocket, send_timeout=self.options.send_timeout),
            NativeAdapter(self._offer),
            self.options,
            self.ports,
            session_id=secrets.token_hex(8),
            trace_id=_trace_id(websocket.headers.get("traceparent")),
        )
        self._sessions.add(session)
        if self._admission.draining:  # it began while the upgrade was under way
            session.stop(ShuttingDown(GOODBYE))
        try:
            await session.run()
        finally:
            self._sessions.discard(session)
            self._left.set()

    async def drain(self, grace: float) -> int:
        """Admit nobody any more, let every session finish its open segment, and wait for that up to ``grace`` seconds.

        Returns how many sessions are still there.
        """
        self._admission.drain()
        self.health.drain("the server is shutting down")
        for session in self._sessions:
            session.stop(ShuttingDown(GOODBYE))
        log.info("draining", sessions=len(self._sessions), grace_seconds=grace)
        try:
            async with asyncio.timeout(grace):
                while self._sessions:
                    self._left.clear()
                    await self._left.wait()
        except TimeoutError:
            log.warning("sessions did not finish in time", sessions=len(self._sessions))
        return len(self._sessions)


def refusal(error: StarlingError) -> JSONResponse:
    """The HTTP response that says ``error``."""
    headers = {"Retry-After": str(math.ceil(error.retry_after))} if isinstance(error, Overloaded) else None
    body = {"error": {"code": error.code, "message": error.message, "retryable": error.retryable}}
    return JSONResponse(body, error.http_status, headers)


def _trace_id(traceparent: str | None) -> str:
    """The caller's trace id, or a new one."""
    given = TRACEPARENT.fullmatch(traceparent) if traceparent else None
    return given[1] if given else secrets.token_hex(16)
