"""A few plain pages over HTTP for a process that serves nobody else: whether it lives, is ready, and how it is.

Small on purpose: a recognizer loads no web framework. One request per connection, of which only method and path are looked at.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from starling.core.errors import StarlingError
from starling.telemetry.health import Health
from starling.telemetry.metrics import CONTENT_TYPE, Metrics, render

LONGEST_REQUEST: Final = 8192
"""Bytes of a request."""

PATIENCE: Final = 5.0
"""Seconds in which a request must have come."""

MOST: Final = 32
"""Connections at once; more are closed."""

JSON: Final = "application/json"
REASONS: Final = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


def url_of(listener: socket.socket) -> str:
    """Where those that are answered on ``listener`` find us."""
    name, number = listener.getsockname()[:2]
    return f"http://[{name}]:{number}/" if ":" in name else f"http://{name}:{number}/"


class StatusPage:
    """``/healthz``, ``/readyz``, ``/status`` and ``/metrics``."""

    def __init__(self, health: Health, metrics: Metrics, status: Callable[[], Mapping[str, Any]]) -> None:
        self._health = health
        self._metrics = metrics
        self._status = status
        self._open = 0

    @asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[str]:
        """Answer while the block runs; gives the URL. Raises StarlingError when the address cannot be listened on."""
        try:
            server = await asyncio.start_server(self._serve, host, port, limit=LONGEST_REQUEST)
        except OSError as error:
            raise StarlingError(
                f"cannot listen on {host} port {port} ({error.strerror}); choose another with --status-port"
            ) from None
        async with server:
            yield url_of(server.sockets[0])

    @asynccontextmanager
    async def answering(self, listener: socket.socket) -> AsyncIterator[None]:
        """Answer while the block runs, where connections arrive already; ``listener`` is closed then."""
        async with await asyncio.start_server(self._serve, sock=listener, limit=LONGEST_REQUEST):
            yield

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                if self._open <= MOST:
                    async with asyncio.timeout(PATIENCE):
                        request = await reader.readuntil(b"\r\n\r\n")
                        writer.write(self.answer(request.split(b"\r\n", 1)[0]))
                        await writer.drain()
        finally:
            self._open -= 1
            writer.close()

    def answer(self, request: bytes) -> bytes:
        """The response to a request that begins with the line ``request``."""
        method, _, rest = request.partition(b" ")
        if method not in {b"GET", b"HEAD"}:
            return _response(405, JSON, b"{}")
        match rest.partition(b" ")[0].partition(b"?")[0]:
            case b"/healthz":
                live = self._health.live
                return _response(200 if live else 503, JSON, _json({"live": live}))
            case b"/readyz":
                return _response(200 if self._health.ready else 503, JSON, _json(self._health.report()))
            case b"/status":
                return _response(200, JSON, _json(self._status()))
            case b"/metrics":
                return _response(200, CONTENT_TYPE, render(self._metrics))
            case _:
                return _response(404, JSON, b"{}")


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode()


def _response(status: int, kind: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
