"""The client goes on by itself when its connection breaks: against a real gateway behind a wire that is cut."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import numpy as np
import pytest
from msgspec import UNSET
from websockets.asyncio.client import ClientConnection

from gateway.gateway_harness import Served, run, served
from starling.client import SessionAborted, SessionLost, connect, vigil
from starling.client.line import Line, Link
from starling.client.session import Session
from starling.core.audio import AudioFormat
from starling.core.config import VadMode
from starling.core.records import Audio
from starling.gateway.options import GatewayOptions
from starling.protocols.native.messages import Done, Result


class Wire:
    """A proxy that can be cut: every connection through it is reset, and new ones are refused while it is down.

    One that falls ``silent`` takes everything and says nothing, for connections that were made before.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self.down = False
        self.silent = False
        self.connections = 0
        self.port = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Wire]:
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self.cut()
            server.close()
            await server.wait_closed()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.down:
            writer.transport.abort()
            return
        self.connections += 1
        there = await asyncio.open_connection(*self._target)
        mine = {writer, there[1]}
        self._writers |= mine
        try:
            await asyncio.gather(self._pump(reader, there[1]), self._pump(there[0], writer))
        finally:
            self._writers -= mine
            for end in mine:
                end.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lost = False
        with suppress(ConnectionError):
            while data := await reader.read(4096):
                lost = lost or self.silent
                if not lost:
                    writer.write(data)
                    await writer.drain()
        writer.transport.abort()


@asynccontextmanager
async def wired(options: GatewayOptions | None = None) -> AsyncIterator[tuple[Served, Wire]]:
    async with served(options) as it, Wire(it.host, it.port).open() as wire:
        yield it, wire


def sound(seed: int, count: int = 48_000) -> Any:
    return np.random.default_rng(seed).integers(-9000, 9000, count).astype(np.int16)


async def read(session: Session, finals: list[Result], done: list[Done]) -> None:
    async for message in session:
        if isinstance(message, Result) and message.is_final:
            finals.append(message)
        if isinstance(message, Done):
            done.append(message)


def heard(it: Served) -> bytes:
    return b"".join(record.samples.tobytes() for record in it.recognizer.records if isinstance(record, Audio))


@pytest.mark.parametrize("seed", range(4))
def test_wherever_the_wire_is_cut_all_audio_is_heard_once_and_every_final_comes_once(seed: int) -> None:
    chance = random.Random(seed)
    spoken = sound(seed)
    cuts = sorted(chance.sample(range(len(spoken) // 800), 6))

    async def scenario() -> None:
        async with wired(GatewayOptions(port=0, opens_per_minute=10_000)) as (it, wire):
            links: list[Link] = []
            finals: list[Result] = []
            done: list[Done] = []

            async with connect(f"ws://127.0.0.1:{wire.port}", vad=VadMode.OFF, notice=links.append) as session:
                reading = asyncio.create_task(read(session, finals, done))
                for number in range(len(spoken) // 800):
                    await session.send(spoken[800 * number : 800 * (number + 1)])
                    if number % 10 == 9:
                        await session.finalize()
                    if number in cuts:
                        for _ in range(chance.randrange(200)):
                            await asyncio.sleep(0)
                        wire.cut()
                await session.end()
                if seed % 2:
                    wire.cut()
                await reading
            assert heard(it) == spoken.tobytes()
            assert [final.segment_id for final in finals] == list(range(len(finals)))
            assert len(finals) >= 6
            assert done[0].audio_seconds == 3.0
            assert links[: 2 * (len(links) // 2)] == [Link.LOST, Link.RESTORED] * (len(links) // 2)
            assert wire.connections > 2

    run(scenario)


def test_a_network_that_says_nothing_any_more_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vigil, "PATIENCE", 3.0)
    monkeypatch.setattr(vigil, "ASK_EVERY", 0.2)
    monkeypatch.setattr(vigil, "LOOK_EVERY", 0.2)
    spoken = sound(7)

    async def scenario() -> None:
        async with wired() as (it, wire):
            links: list[Link] = []
            finals: list[Result] = []
            done: list[Done] = []
            restored = asyncio.Event()

            def notice(link: Link) -> None:
                links.append(link)
                wire.silent = False
                if link is Link.RESTORED:
                    restored.set()

            async with connect(f"ws://127.0.0.1:{wire.port}", vad=VadMode.OFF, notice=notice) as session:
                reading = asyncio.create_task(read(session, finals, done))
                await session.send(spoken[:16_000])
                wire.silent = True
                await session.send(spoken[16_000:32_000])
                await restored.wait()
                await session.send(spoken[32_000:])
                await session.end()
                await reading
            assert heard(it) == spoken.tobytes()
            assert links == [Link.LOST, Link.RESTORED]

    run(scenario)


def test_who_cannot_come_back_in_time_is_told() -> None:
    async def scenario() -> None:
        options = GatewayOptions(port=0, resume_grace=0.4)
        async with wired(options) as (_, wire), connect(f"ws://127.0.0.1:{wire.port}") as session:
            wire.down = True
            wire.cut()
            with pytest.raises(SessionLost, match=r"no connection could be made again within 0\.4 s"):
                await anext(session)
            with pytest.raises(SessionLost):
                await session.send(sound(0, 100))

    run(scenario)


def test_who_is_superseded_does_not_come_back() -> None:
    async def scenario() -> None:
        async with served() as it, connect(it.uri) as session:
            assert session.ready.resume_token is UNSET, "whoever prints messages prints no secret"
            async with it.connect(query="?resume") as other:
                await other.send(f'{{"type":"resume","token":"{session.resume_token}","sent":0}}')
                await other.recv()
                with pytest.raises(SessionAborted) as raised:
                    async for _ in session:
                        pass
                assert raised.value.reason == "superseded"

    run(scenario)


def test_without_resume_a_lost_connection_is_the_end() -> None:
    async def scenario() -> None:
        async with wired() as (it, wire):
            async with connect(f"ws://127.0.0.1:{wire.port}", resume=False) as session:
                wire.cut()
                with pytest.raises(SessionLost):
                    await anext(session)
            await it.recognizer.ended.get()

    run(scenario)


class Peer:
    """The far end of a connection that takes frames one at a time, each when it is told to."""

    def __init__(self) -> None:
        self.frames: list[str | bytes] = []
        self._room = asyncio.Semaphore(0)

    async def send(self, frame: str | bytes) -> None:
        await self._room.acquire()
        self.frames.append(frame)

    def take(self, count: int) -> None:
        for _ in range(count):
            self._room.release()


@pytest.mark.parametrize("before", range(4), ids="{} turns".format)
@pytest.mark.parametrize("cancelled", [0, 1], ids=["all wait", "one is cancelled"])
def test_an_end_that_falls_into_a_replay_is_said_once(before: int, cancelled: int) -> None:
    async def scenario() -> None:
        peer = Peer()
        line = Line(cast("ClientConnection", peer), AudioFormat(), None, lambda _: None)
        await line._sending.acquire()  # as who goes on over another connection does
        replay = asyncio.create_task(line._send_again(cast("ClientConnection", peer), ['{"type":"finalize"}']))
        for _ in range(before):
            await asyncio.sleep(0)
        endings = [asyncio.create_task(line.end()) for _ in range(2)]
        for _ in range(before):
            await asyncio.sleep(0)
        for ending in endings[:cancelled]:
            ending.cancel()
        peer.take(5)
        await replay
        await asyncio.wait(endings)
        assert peer.frames == ['{"type":"finalize"}', '{"type":"end"}']

    run(scenario)
