"""One client's WebSocket, with what can go wrong as errors."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Protocol

from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from starling.core.errors import ClientError, SlowConsumer
from starling.protocols.verbs import Frame

REASON_LIMIT = 123
"""Bytes of a close frame's reason (RFC 6455 section 5.5)."""

GONE = (WebSocketDisconnect, WebSocketDisconnected)
"""What Starlette raises when it cannot send: the first time, and from then on."""


AT_A_STROKE = 8
"""Messages that one client may have taken before others get their turn."""

DELIBERATE = (1000, 1001, 1005)
"""Close codes of who leaves on purpose: done, going away (a page that is closed), and none given. RFC 6455 section 7.4.1."""


class Gone(Exception):
    """The client is not there any more. ``deliberate``: it said goodbye; else its connection was lost."""

    def __init__(self, *, deliberate: bool = False) -> None:
        super().__init__()
        self.deliberate = deliberate


class Wire(Protocol):
    """What a connection needs of the network, be it a WebSocket or not."""

    async def receive(self) -> Frame:
        """The next message. Raises Gone, and the ClientError of a message the socket itself refused."""

    async def pause(self) -> None:
        """Let others have their turn in the middle of a large message. Raises Gone if its sender has left meanwhile."""

    async def approach(self) -> None:
        """Wait for the next message and leave it there. Raises Gone if it is that the client left."""

    async def send(self, frame: Frame) -> None:
        """Hand ``frame`` to the network, waiting while the client does not read. Raises Gone and SlowConsumer."""

    async def close(self, code: int, reason: str = "") -> None:
        """Say goodbye. Does nothing if the client is gone."""

    async def farewell(self, within: float) -> bool:
        """Whether the client answers our close within so many seconds: then it has read all that was said."""


class Socket:
    """``Wire`` on an accepted WebSocket. ``send_timeout``: seconds it may take nothing of what is sent."""

    def __init__(self, websocket: WebSocket, *, send_timeout: float) -> None:
        self._websocket = websocket
        self._send_timeout = send_timeout
        self._taken = 0  # messages
        self._next: asyncio.Task[Message] | None = None  # asked for ahead of time, to see whether the client is still there
        self._left: Gone | None = None  # how the client left, which the network says once only

    async def receive(self) -> Frame:
        self._taken += 1
        if self._taken % AT_A_STROKE == 0:  # thousands of small messages may lie ready; others get their turn between them
            await asyncio.sleep(0)
        if self._next is not None:
            await asyncio.wait([self._next])  # if this is cancelled, the message is not lost
            asked, self._next = self._next, None
            message = asked.result()
        else:
            message = await self._websocket.receive()
        self._check(message)
        text: str | None = message.get("text")
        data: bytes = message.get("bytes") or b""
        return data if text is None else text

    async def pause(self) -> None:
        if self._next is None:
            self._next = asyncio.ensure_future(self._websocket.receive())
        await asyncio.sleep(0)
        if self._next.done() and self._next.exception() is None:
            self._check(self._next.result())

    async def approach(self) -> None:
        if self._next is None:
            self._next = asyncio.ensure_future(self._websocket.receive())
        await asyncio.wait([self._next])
        if self._next.exception() is None:
            self._check(self._next.result())

    async def send(self, frame: Frame) -> None:
        try:
            async with asyncio.timeout(self._send_timeout):
                if isinstance(frame, str):
                    await self._websocket.send_text(frame)
                else:
                    await self._websocket.send_bytes(frame)
        except TimeoutError:
            raise SlowConsumer(f"nothing was read for {self._send_timeout:g} seconds; read results as they come") from None
        except GONE:
            raise Gone from None

    async def close(self, code: int, reason: str = "") -> None:
        asked, self._next = self._next, None
        if asked is not None and not asked.cancel() and asked.exception() is None:
            with suppress(Gone):
                self._check(asked.result())
        with suppress(*GONE):
            await self._websocket.close(code, reason.encode()[:REASON_LIMIT].decode(errors="ignore"))

    async def farewell(self, within: float) -> bool:
        try:
            async with asyncio.timeout(within):
                while self._left is None:
                    await self.receive()
        except (TimeoutError, RuntimeError, ClientError):
            return False
        except Gone:
            pass
        return self._left is not None and self._left.deliberate

    def _check(self, message: Message) -> None:
        if message["type"] == "websocket.disconnect":
            self._left = Gone(deliberate=message.get("code") in DELIBERATE)
            raise self._left
