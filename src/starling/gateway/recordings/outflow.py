"""Responses that go on for long: a client that does not read is left, and who waits hears that somebody is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any, Final, cast

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from starling.telemetry.logs import get_logger

log = get_logger(__name__)

ABORT: Final = "starling.abort"
"""ASGI extension of our HTTP connections: cuts the connection, whatever is still to be written."""


class Outflow(Response):
    """Sends ``chunks``. ``idle``: seconds for each to be taken, after which the connection is cut.

    ``heartbeat``: bytes to send when nothing else was for ``every`` seconds; ``finished``: called at the end, however it comes.
    """

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        *,
        idle: float,
        media_type: str,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        heartbeat: bytes = b"",
        every: float | None = None,
        finished: Callable[[], None] = lambda: None,
    ) -> None:
        self._chunks = chunks
        self._idle = idle
        self._heartbeat = heartbeat
        self._every = every if heartbeat else None
        self._finished = finished
        self.status_code = status
        self.media_type = media_type
        self.background = None
        self.body = b""
        self.init_headers(headers)
        del self.headers["content-length"]
        if headers and "Content-Length" in headers:
            self.headers["content-length"] = headers["Content-Length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ready: asyncio.Queue[bytes | None] = asyncio.Queue(1)
        left = asyncio.ensure_future(_left(receive))
        making = asyncio.ensure_future(self._make(ready))
        upcoming: asyncio.Future[bytes | None] | None = None
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            while True:
                upcoming = upcoming or asyncio.ensure_future(ready.get())
                either: list[asyncio.Future[Any]] = [upcoming, left]
                await asyncio.wait(either, timeout=self._every, return_when=asyncio.FIRST_COMPLETED)
                if left.done():
                    return
                chunk: bytes | None = self._heartbeat
                if upcoming.done():
                    chunk, upcoming = upcoming.result(), None
                if chunk is None:
                    break
                if not await self._sent(send, {"type": "http.response.body", "body": chunk, "more_body": True}):
                    await _cut(scope, left)
                    return
            await asyncio.wait([making])
            if (error := making.exception()) is not None:  # too late for another status
                log.warning("answer broken off", error=type(error).__name__)
                await _cut(scope, left)
                return
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            tasks = [task for task in (left, upcoming, making) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            self._finished()

    async def _make(self, ready: asyncio.Queue[bytes | None]) -> None:
        """In one task from beginning to end: what opened something there closes it there."""
        try:
            async with aclosing(cast("AsyncGenerator[bytes]", self._chunks)) as chunks:
                async for chunk in chunks:
                    await ready.put(chunk)
        except Exception:
            await ready.put(None)  # the answer ends, and then this is raised
            raise
        await ready.put(None)

    async def _sent(self, send: Send, message: dict[str, Any]) -> bool:
        try:
            async with asyncio.timeout(self._idle):
                await send(message)
        except TimeoutError:
            return False
        return True


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cut(scope: Scope, left: asyncio.Future[None]) -> None:
    extension = scope.get("extensions", {}).get(ABORT)
    if extension is not None:
        extension[ABORT]()
        await left
