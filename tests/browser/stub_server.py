"""A scripted server for the console: its static files as the gateway serves them, and a socket that does what a test says."""

from __future__ import annotations

import asyncio
import contextlib
import json
import mimetypes
import threading
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self, TypeAlias

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from starling.gateway.app import CONSOLE, SECURITY_HEADERS


class Peer:
    """One console on the other end of a socket."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        self.frames: list[dict[str, Any]] = []
        self.audio = bytearray()
        self.asked = 0  # keepalives, which are answered without a word of the script
        self._sequence = 0

    async def send(self, kind: str, **fields: Any) -> None:
        await self.connection.send(json.dumps({"type": kind, "sequence": self._sequence, **fields}))
        self._sequence += 1

    async def read(self) -> str | None:
        """Take one frame; the type of a text frame, None for audio."""
        frame = await self.connection.recv()
        if isinstance(frame, bytes):
            self.audio += frame
            return None
        message = json.loads(frame)
        if message["type"] == "keepalive":
            self.asked += 1
            await self.send("ack", received=0)
            return await self.read()
        self.frames.append(message)
        return str(message["type"])

    async def read_until(self, kind: str) -> None:
        while await self.read() != kind:
            pass

    async def hear(self, seconds: float) -> None:
        """Read until ``seconds`` of audio (16 kHz) have come."""
        while len(self.audio) < seconds * 32_000:
            await self.read()

    async def ready(self, **options: Any) -> None:
        if not self.frames:
            await self.read_until("start")
        given = {"language": "en", "partials": True, "partial_interval_ms": 300, "endpoint_silence_ms": 500, "words": False}
        given["finished_silence_ms"] = 10_000
        known = {
            "session_id": "s-0123456789abcdef",
            "trace_id": "t-1",
            "model": "scripted-en",
            "sample_rate": 16_000,
            "partial_words": False,
            "vad": "both",
            "quality": "balanced",
            "hotwords": 0,
        }
        await self.send("ready", **known, **(given | options))

    async def result(
        self,
        segment: int,
        version: int,
        text: str,
        *,
        final: bool = False,
        stable: str = "",
        start: float = 0.0,
        end: float = 1.0,
    ) -> None:
        await self.send(
            "result",
            session_id="s-0123456789abcdef",
            trace_id="t-1",
            segment_id=segment,
            version=version,
            result_type="final" if final else "partial",
            is_final=final,
            text=text,
            stable_text=text if final else stable,
            start=start,
            end=end,
            confidence=None,
            language="en",
        )

    async def done(self) -> None:
        await self.send(
            "done", session_id="s-0123456789abcdef", trace_id="t-1", audio_seconds=len(self.audio) / 32_000, segments=0
        )


Script: TypeAlias = Callable[[Peer], Awaitable[None]]


async def hang_up(peer: Peer) -> None:
    """Answer nothing."""


class StubServer:
    """Serves on a free port of 127.0.0.1 in a thread of its own. ``script`` runs for each socket; ``refuse`` answers upgrades.

    ``readiness`` and ``reason``: what ``/v1/admission`` answers; ``shown``: the credentials it was asked with.
    ``missing``: the path of a file that it no longer has.
    """

    def __init__(self) -> None:
        self.script: Script = hang_up
        self.refuse: HTTPStatus | None = None
        self.readiness = HTTPStatus.OK
        self.reason = ""
        self.shown: list[str | None] = []
        self.missing: str | None = None
        self.peers: list[Peer] = []
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stub server")

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def reset(self) -> None:
        """As it was at first: hang up on everyone."""
        self.script, self.refuse, self.readiness, self.missing, self.peers = hang_up, None, HTTPStatus.OK, None, []
        self.reason, self.shown = "", []

    def signal(self) -> Signal:
        """An event that a test sets and a script waits for."""
        return Signal(self._loop)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        async with serve(
            self._talk,
            "127.0.0.1",
            0,
            select_subprotocol=_agree,
            process_request=self._answer,
            max_size=None,
            compression=None,
            close_timeout=1,
        ) as server:
            self.url = f"http://127.0.0.1:{_port(server)}/"
            self._started.set()
            await self._stop.wait()

    async def _talk(self, connection: ServerConnection) -> None:
        peer = Peer(connection)
        self.peers.append(peer)
        script = asyncio.ensure_future(self.script(peer))
        closed = asyncio.ensure_future(connection.wait_closed())
        await asyncio.wait([script, closed], return_when=asyncio.FIRST_COMPLETED)
        for task in (script, closed):
            task.cancel()  # a script that waits for its test must not outlive its socket
        with contextlib.suppress(ConnectionClosed, asyncio.CancelledError):
            await script

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        path = request.path.partition("?")[0]
        if path == "/v1/stream":
            return None if self.refuse is None else connection.respond(self.refuse, "no more sessions\n")
        if path == "/v1/admission":
            self.shown.append(request.headers.get("Authorization"))
            return connection.respond(self.readiness, self.reason)
        if path == self.missing:
            return connection.respond(HTTPStatus.NOT_FOUND, "")
        return _static(path)


class Signal:
    """An event set by one thread and awaited in the server's."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._event = asyncio.Event()

    def set(self) -> None:
        self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self) -> None:
        await self._event.wait()


def _agree(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return Subprotocol("starling") if offered else None


def _static(path: str) -> Response:
    file = CONSOLE / ("dashboard/index.html" if path == "/dashboard" else path.lstrip("/") or "index.html")
    if file.parent not in {CONSOLE, CONSOLE / "dashboard"} or not file.is_file():
        return Response(HTTPStatus.NOT_FOUND, "Not Found", Headers({"Content-Length": "0"}))
    body = file.read_bytes()
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    headers = {"Content-Type": kind, "Content-Length": str(len(body)), "Cache-Control": "no-store"}
    return Response(HTTPStatus.OK, "OK", Headers(headers | SECURITY_HEADERS), body)


def _port(server: Server) -> int:
    port: int = next(iter(server.sockets)).getsockname()[1]
    return port
