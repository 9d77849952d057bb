"""A page that says that a process without a gateway works: ``/healthz``, and its ``/metrics``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from starling.core.errors import InvalidOption
from starling.telemetry.metrics import CONTENT_TYPE, Metrics, render

PATIENCE: Final = 5.0
"""Seconds that a client may take for its request."""

LONGEST: Final = 8192
"""Bytes of a request's head."""


@asynccontextmanager
async def status_page(host: str, port: int, metrics: Metrics, works: Callable[[], bool]) -> AsyncIterator[int]:
    """Serve it for as long as the block runs; gives the port. ``works``: what ``/healthz`` says (200 or 503).

    Raises InvalidOption where it cannot listen.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_response(head.split(b"\r\n", 1)[0], metrics, works))
                await writer.drain()
        writer.close()

    try:
        server = await asyncio.start_server(answer, host, port, limit=LONGEST)
    except OSError as error:
        raise InvalidOption(f"cannot listen on {host}:{port}: {error.strerror}; choose another --status-port") from error
    async with server:
        yield server.sockets[0].getsockname()[1]


def _response(request: bytes, metrics: Metrics, works: Callable[[], bool]) -> bytes:
    method, _, rest = request.partition(b" ")
    path = rest.partition(b" ")[0].partition(b"?")[0]
    kind = "text/plain; charset=utf-8"
    if method not in {b"GET", b"HEAD"}:
        status, body = "405 Method Not Allowed", b"only GET\n"
    elif path == b"/healthz":
        status, body = ("200 OK", b"ok\n") if works() else ("503 Service Unavailable", b"not working\n")
    elif path == b"/metrics":
        status, body, kind = "200 OK", render(metrics), CONTENT_TYPE
    else:
        status, body = "404 Not Found", b"there are /healthz and /metrics\n"
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + (b"" if method == b"HEAD" else body)
