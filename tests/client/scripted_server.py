"""A server that plays a script to one client at a time over a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import TypeAlias

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from starling.core.audio import Encoding
from starling.core.config import Quality, VadMode
from starling.protocols.native.messages import (
    ClientMessage,
    Done,
    EffectiveAudio,
    Ready,
    Result,
    ServerMessage,
    decode_client,
    encode,
)

READY = Ready(
    sequence=0,
    session_id="s1",
    trace_id="t1",
    model="scripted",
    sample_rate=16_000,
    audio=EffectiveAudio(encoding=Encoding.PCM_S16LE, sample_rate=16_000, channels=1),
    language="en",
    partials=True,
    partial_interval_ms=300,
    endpoint_silence_ms=500,
    finished_silence_ms=10_000,
    words=False,
    partial_words=False,
    vad=VadMode.BOTH,
    quality=Quality.BALANCED,
    hotwords=0,
)
DONE = Done(sequence=9, session_id="s1", trace_id="t1", audio_seconds=1.0, segments=1)


def result(
    text: str, *, segment_id: int = 0, version: int = 0, final: bool = False, start: float = 0.0, end: float = 1.0
) -> Result:
    return Result(
        sequence=1,
        session_id="s1",
        segment_id=segment_id,
        version=version,
        result_type="final" if final else "partial",
        is_final=final,
        text=text,
        stable_text=text if final else "",
        start=start,
        end=end,
        confidence=None,
        language="en",
        trace_id="t1",
    )


class Peer:
    """The script's side of the connection. ``heard``: all audio bytes so far."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self.heard = b""
        self.frames: list[int] = []

    @property
    def headers(self) -> Headers:
        assert self._connection.request is not None
        return self._connection.request.headers

    async def send(self, *messages: ServerMessage | str | bytes) -> None:
        for message in messages:
            await self._connection.send(message if isinstance(message, str | bytes) else encode(message))

    async def expect(self, kind: type[ClientMessage]) -> ClientMessage:
        """The next text frame, which must be of ``kind``. Audio before it is added to ``heard``."""
        while True:
            frame = await self._connection.recv()
            if isinstance(frame, str):
                message = decode_client(frame)
                assert isinstance(message, kind), f"expected {kind.__name__}, got {message}"
                return message
            self.heard += frame
            self.frames.append(len(frame))

    async def hear(self, count: int) -> None:
        """Audio until ``count`` bytes of it have come."""
        while len(self.heard) < count:
            frame = await self._connection.recv()
            assert isinstance(frame, bytes), f"expected audio, got {frame}"
            self.heard += frame

    async def close(self, code: int, reason: str = "") -> None:
        await self._connection.close(code, reason)

    def vanish(self) -> None:
        """Drop the connection without a word."""
        self._connection.transport.abort()


Script: TypeAlias = Callable[[Peer], Awaitable[object]]


@asynccontextmanager
async def playing(script: Script) -> AsyncIterator[str]:
    """Serve ``script`` and yield the address. A script that fails fails the test."""
    failures: list[BaseException] = []

    async def handle(connection: ServerConnection) -> None:
        try:
            with suppress(ConnectionClosed):
                await script(Peer(connection))
        except BaseException as error:
            failures.append(error)
            raise

    async with serve(handle, "127.0.0.1", 0, close_timeout=1) as server:
        yield f"127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
    if failures:
        raise failures[0]


@asynccontextmanager
async def refusing(status: HTTPStatus, headers: Mapping[str, str], body: str = "no") -> AsyncIterator[str]:
    """Answer every upgrade with ``status``."""

    def refuse(connection: ServerConnection, request: Request) -> Response:
        response = connection.respond(status, body)
        response.headers.update(headers)
        return response

    async def handle(connection: ServerConnection) -> None:
        raise AssertionError("the upgrade was refused")

    async with serve(handle, "127.0.0.1", 0, process_request=refuse) as server:
        yield f"127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
