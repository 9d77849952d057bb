"""A wire between a browser and a server that breaks when a test wants it to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self


class Wire:
    """A proxy on a free port of 127.0.0.1, in a thread of its own, to ``port`` of the same machine.

    ``cuts``: after how many bytes from the browser all connections are reset, once for each. ``down``: new ones are reset, too.
    """

    def __init__(self, port: int, cuts: Sequence[int] = ()) -> None:
        self.down = False
        self.port = 0
        self.made = 0
        self._target = port
        self._cuts = sorted(cuts)
        self._carried = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wire")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def whole(self) -> bool:
        """Whether no cut is left to be made."""
        return not self._cuts

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def cut(self) -> None:
        """Reset every connection."""
        self._loop.call_soon_threadsafe(self._cut)

    def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        server.close()
        self._cut()
        await server.wait_closed()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.down:
            writer.transport.abort()
            return
        self.made += 1
        there = await asyncio.open_connection("127.0.0.1", self._target)
        ends = {writer, there[1]}
        self._writers |= ends
        try:
            await asyncio.gather(self._pump(reader, there[1], counted=True), self._pump(there[0], writer))
        finally:
            self._writers -= ends
            for end in ends:
                end.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool = False) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(16_384):
                writer.write(data)
                await writer.drain()
                if counted:
                    self._count(len(data))
        writer.transport.abort()

    def _count(self, size: int) -> None:
        self._carried += size
        if self._cuts and self._carried >= self._cuts[0]:
            while self._cuts and self._carried >= self._cuts[0]:
                self._cuts.pop(0)
            self._cut()
