"""A thousand connections that break anywhere, on virtual time: the transcript is what it would have been."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from starling.auth.tenants import ANYBODY
from starling.bus.memory import MemoryLoadBoard, MemorySessionDirectory
from starling.client.inbox import Inbox
from starling.client.outbox import Outbox
from starling.core.audio import Samples
from starling.core.ports import Capabilities
from starling.gateway.access import Access
from starling.gateway.allowance import Allowance
from starling.gateway.connection import Connection
from starling.gateway.glossaries import Glossaries
from starling.gateway.listing import Identity
from starling.gateway.options import GatewayOptions
from starling.gateway.ports import Ports
from starling.gateway.quotas import Quotas
from starling.gateway.resumption import Resumables
from starling.gateway.socket import Gone, Socket
from starling.gateway.stream import StreamSession
from starling.protocols.native.adapter import NativeAdapter
from starling.protocols.native.messages import Ack, Done, Ready, Result, Resumed, ServerMessage, decode_server
from starling.protocols.verbs import Frame, Offer, Resume
from virtual_time import run, stopped

from scripted_session import conversation  # isort: skip
from worker.rig import Rig  # isort: skip

OPTIONS = GatewayOptions(messages_per_second=1e6, audio_speed=1e6)
CAPABILITIES = Capabilities(
    model="scripted", model_version="1", languages=("en",), word_times=False, confidence=False, max_utterance=480_000
)


class Line(Socket):
    """A socket in memory. ``cut`` loses what is under way in both directions, as a network does."""

    def __init__(self) -> None:
        self.up: asyncio.Queue[Frame | None] = asyncio.Queue()
        self.down: asyncio.Queue[str | None] = asyncio.Queue()
        self.closed = False
        self.broken = False

    def cut(self) -> None:
        self.broken = True
        while not self.up.empty():
            self.up.get_nowait()
        while not self.down.empty():
            self.down.get_nowait()
        self.up.put_nowait(None)
        self.down.put_nowait(None)

    async def receive(self) -> Frame:
        await asyncio.sleep(0)
        frame = await self.up.get()
        if frame is None:
            raise Gone
        return frame

    async def pause(self) -> None:
        await asyncio.sleep(0)
        if self.broken:
            raise Gone

    async def send(self, frame: Frame) -> None:
        if self.broken:
            raise Gone
        assert isinstance(frame, str)
        self.down.put_nowait(frame)

    async def close(self, code: int, reason: str = "") -> None:
        self.closed = True
        self.down.put_nowait(None)

    async def farewell(self, within: float) -> bool:
        return not self.broken


class Platform:
    """A gateway without HTTP in front of a recognizer on virtual time."""

    def __init__(self, rig: Rig) -> None:
        self.ports = Ports(
            audio_log=rig.log,
            results=rig.results,
            board=MemoryLoadBoard(),
            directory=MemorySessionDirectory(),
            clock=rig.clock,
            metrics=rig.metrics,
        )
        self.resumables: Resumables[StreamSession] = Resumables()
        self.tasks: set[asyncio.Task[None]] = set()
        self._allowance = Allowance(
            ANYBODY,
            OPTIONS,
            Access(OPTIONS, rig.clock),
            Quotas(rig.clock.now, rig.clock.now),
            rig.clock,
            glossaries=Glossaries(),
        )
        self._opened = 0

    def dial(self, *, resuming: bool) -> Line:
        line = Line()
        connection = Connection(line, NativeAdapter(Offer(capabilities=CAPABILITIES)), OPTIONS, self.ports.metrics)
        self._opened += 1
        task = asyncio.create_task(self._resume(connection) if resuming else self._open(connection, self._opened))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return line

    async def _open(self, connection: Connection, number: int) -> None:
        identity = Identity(session_id=f"s{number}", trace_id="t")
        await StreamSession(
            identity, connection, OPTIONS, self.ports, allowance=self._allowance, resumables=self.resumables
        ).run()

    async def _resume(self, connection: Connection) -> None:
        try:
            opening, *_ = await connection.greeting()
        except Gone:
            return
        assert isinstance(opening, Resume)
        await self.resumables.find(opening.token).attach(connection, opening, self._allowance)


class Client:
    """Sends a session and survives what happens to its line."""

    def __init__(self, platform: Platform, sound: Samples, *, chunk: int, finalize_every: int, chance: random.Random) -> None:
        self._platform = platform
        data = sound.astype("<i2").tobytes()
        self._todo: list[Frame] = []
        for number, start in enumerate(range(0, len(data), chunk)):
            self._todo.append(data[start : start + chunk])
            if finalize_every and number % finalize_every == finalize_every - 1:
                self._todo.append('{"type":"finalize"}')
        self._chance = chance
        self._outbox, self._inbox = Outbox(), Inbox()
        self._token = ""
        self._next = 0
        self.heard: list[ServerMessage] = []
        self.reconnects = 0

    async def run(self, cuts: Sequence[int]) -> list[ServerMessage]:
        """``cuts``: how many messages, sent and received, each line lasts; the one after them is not cut."""
        for lasts in [*cuts, 10**9]:
            if await self._connected(lasts):
                break
            self.reconnects += 1
        return self.heard

    async def _connected(self, lasts: int) -> bool:
        resuming = bool(self._token)
        line = self._platform.dial(resuming=resuming)
        if resuming:
            last = self._inbox.last_final
            line.up.put_nowait(
                json.dumps({"type": "resume", "token": self._token, "sent": self._outbox.sent, "last_result": last})
            )
        else:
            line.up.put_nowait('{"type":"start","resume":true}')
        sending = asyncio.create_task(asyncio.sleep(0))
        try:
            while (frame := await line.down.get()) is not None:
                message = decode_server(frame)
                if isinstance(message, Ready | Resumed):
                    if isinstance(message, Ready):
                        assert isinstance(message.resume_token, str)
                        self._token = message.resume_token
                        lasts = max(lasts, 1)
                    sending = asyncio.create_task(self._send(line, message, lasts))
                elif isinstance(message, Ack):
                    self._outbox.confirm(message.received)
                elif self._inbox.is_new(message):
                    self.heard.append(message)
                    if isinstance(message, Done):
                        return True
                lasts -= 1
                if lasts <= 0:
                    line.cut()
            return False
        finally:
            await stopped(sending)

    async def _send(self, line: Line, begun: Ready | Resumed, lasts: int) -> None:
        if isinstance(begun, Resumed):
            again = self._outbox.after(begun.received)
            assert again is not None
            for frame in again:
                line.up.put_nowait(frame)
        for _ in range(lasts):
            if line.broken:
                return
            await asyncio.sleep(self._chance.choice([0, 0, 0.001, 0.1]))
            if self._next == len(self._todo):
                line.up.put_nowait('{"type":"end"}')
                return
            frame = self._todo[self._next]
            self._next += 1
            if isinstance(frame, bytes):
                self._outbox.audio(frame)
            else:
                self._outbox.control(frame)
            line.up.put_nowait(frame)
        line.cut()


def lasting(messages: Sequence[ServerMessage]) -> tuple[list[Any], list[Any]]:
    """What must be the same: finals (without their revisions) and the last word, in order; onsets and ends, each once.

    When an onset comes, before or after the final of the segment before it, is a matter of time.
    """
    words: list[Any] = []
    others: list[Any] = []
    for message in messages:
        if isinstance(message, Result):
            if message.is_final:
                words.append((message.segment_id, message.text, message.start, message.end))
        elif isinstance(message, Done):
            words.append((message.audio_seconds, message.segments))
        else:
            others.append((type(message).__name__, getattr(message, "segment_id", None), getattr(message, "at", None)))
    return words, sorted(others)


def played(
    cuts: Sequence[int], *, seed: int, chunk: int = 3_200, finalize_every: int = 0, length: int = 8
) -> tuple[list[Any], int]:
    """What a session says whose connections are cut like that, and how often it was reconnected."""
    chance = random.Random(seed)
    sound = conversation(*(chance.uniform(0.3, 1.5) for _ in range(length)), seed=seed)

    async def scenario() -> tuple[Any, int]:
        rig = Rig(decode=lambda: 0.05)
        platform = Platform(rig)
        async with rig.running():
            client = Client(platform, sound, chunk=chunk, finalize_every=finalize_every, chance=chance)
            heard = await client.run(cuts)
            while platform.tasks:
                await asyncio.wait(platform.tasks)
            assert not rig.results._channels
            assert not await platform.ports.directory.entries()
        return lasting(heard), client.reconnects

    return run(scenario())


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 30), max_size=12),
    st.integers(0, 1000),
    st.sampled_from([3_200, 1_001, 32_000]),
    st.sampled_from([0, 0, 7]),
)
def test_wherever_connections_are_cut_the_transcript_is_the_same(
    cuts: list[int], seed: int, chunk: int, finalize_every: int
) -> None:
    undisturbed, _ = played([], seed=seed, chunk=chunk, finalize_every=finalize_every)
    disturbed, _ = played(cuts, seed=seed, chunk=chunk, finalize_every=finalize_every)
    assert disturbed == undisturbed


@pytest.mark.parametrize("seed", [1, 2])
def test_a_thousand_reconnects(seed: int) -> None:
    total = 0
    for number in range(10):
        chance = random.Random(100 * seed + number)
        undisturbed, _ = played([], seed=number, chunk=1_600, length=16)
        disturbed, reconnects = played([chance.randrange(12) for _ in range(60)], seed=number, chunk=1_600, length=16)
        assert disturbed == undisturbed
        total += reconnects
    assert total >= 500
