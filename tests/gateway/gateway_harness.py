"""A gateway on a real socket, with a scripted recognizer behind the ports."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from patience import PATIENCE, nobody_left
from starling.bus.memory import MemoryAudioLog, MemoryLoadBoard, MemoryResultBus, MemorySessionDirectory
from starling.core.ports import Capabilities, Colleagues, Notary, Tally, Witness
from starling.core.records import Audio, Checkpoint, Ended, Finalize, Gap, Opened, Record
from starling.core.sessions import Standing
from starling.core.transcript import SessionDone, SpeechStarted, Transcript
from starling.gateway.gateway import Gateway
from starling.gateway.listening import listen_everywhere
from starling.gateway.options import GatewayOptions
from starling.gateway.ports import Ports
from starling.gateway.recordings.ports import RecordingPorts
from starling.gateway.server import serving
from starling.telemetry.clock import SystemClock
from starling.telemetry.health import Health, State
from starling.telemetry.metrics import Metrics

CAPABILITIES = Capabilities(
    model="scripted", model_version="1", languages=("en",), word_times=False, confidence=False, max_utterance=480_000
)
START = '{"type":"start"}'
BRIEFLY = 0.5
"""Seconds of a limit that a test waits for: so many that what comes before it does, on a machine with other work."""
END = '{"type":"end"}'
FINALIZE = '{"type":"finalize"}'


USUAL = GatewayOptions()
LIMITS = ("head_timeout", "start_timeout", "idle_timeout", "send_timeout", "finish_timeout")


def patient(options: GatewayOptions) -> GatewayOptions:
    """``options`` whose limits end nothing but where a test has chosen them."""
    usual: dict[str, Any] = {name: PATIENCE for name in LIMITS if getattr(options, name) == getattr(USUAL, name)}
    return replace(options, **usual)


@dataclass
class ScriptedRecognizer:
    """Hears one segment up to each finalize and to the end: a partial for each record of audio, then the final.

    ``listening`` holds it back before it takes anything, ``finishing`` before it says that a session is done.
    """

    log: MemoryAudioLog
    bus: MemoryResultBus
    listening: asyncio.Event = field(default_factory=asyncio.Event)
    finishing: asyncio.Event = field(default_factory=asyncio.Event)
    records: list[Record] = field(default_factory=list)
    ended: asyncio.Queue[Ended] = field(default_factory=asyncio.Queue)
    _heard: dict[str, int] = field(default_factory=dict)
    _segment: dict[str, int] = field(default_factory=dict)
    _opened: dict[str, Opened] = field(default_factory=dict)

    async def run(self) -> None:
        async for batch in self.log.follow():
            await self.listening.wait()
            for record in batch:
                self.records.append(record)
                await self._take(record)

    async def _take(self, record: Record) -> None:
        session_id = record.session_id
        match record:
            case Opened():
                self._heard[session_id] = 0
                self._segment[session_id] = 0
                self._opened[session_id] = record
            case Audio() | Gap():
                if not self._heard[session_id]:
                    await self.bus.publish(SpeechStarted(session_id, 0, record.start))
                self._heard[session_id] = record.end
                await self.bus.publish(self.transcript(session_id, is_final=False))
                checkpoint = Checkpoint(config=self._opened[session_id].checkpoint.config, position=record.end)
                await self.log.commit(session_id, checkpoint)
            case Finalize():
                await self.bus.publish(self.transcript(session_id, is_final=True))
                self._segment[session_id] += 1
            case Ended():
                self.ended.put_nowait(record)
                await self.finishing.wait()
                await self.bus.publish(self.transcript(session_id, is_final=True))
                await self.bus.publish(SessionDone(session_id, self._heard[session_id], 1))
                await self.log.forget(session_id)

    def transcript(self, session_id: str, *, is_final: bool, text: str | None = None) -> Transcript:
        heard = self._heard[session_id]
        said = text or f"{heard} samples"
        return Transcript(
            session_id=session_id,
            segment_id=self._segment[session_id],
            revision=heard,
            is_final=is_final,
            text=said,
            stable_text=said,
            start=0,
            end=heard,
        )


@dataclass
class Served:
    """A running gateway and everything around it."""

    gateway: Gateway
    recognizer: ScriptedRecognizer
    log: MemoryAudioLog
    bus: MemoryResultBus
    board: MemoryLoadBoard
    health: Health
    metrics: Metrics
    host: str
    port: int
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        return f"ws://{self.authority}/v1/stream"

    @property
    def authority(self) -> str:
        return f"{self.host}:{self.port}"

    def connect(self, *, query: str = "", to: str = "", **options: Any) -> connect:
        return connect(
            to or self.uri + query,
            **{"ping_interval": None, "compression": None, "max_size": None, "open_timeout": None, **options},
        )

    async def request(self, head: str) -> str:
        """The whole answer to a raw HTTP request without a body."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        writer.write(head.encode())
        answer = (await reader.read(-1)).decode()
        writer.close()
        return answer

    async def get(self, path: str, **headers: str) -> str:
        lines = "".join(f"{name}: {value}\r\n" for name, value in ({"Host": self.authority} | headers).items())
        return await self.request(f"GET {path} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n")

    def count(self, name: str, **labels: str) -> float:
        value = self.metrics.registry.get_sample_value(name, labels)
        assert value is not None
        return value


class StillClock:
    """It is always the same time."""

    def now(self) -> float:
        return 1000.0


@asynccontextmanager
async def served(
    options: GatewayOptions | None = None,
    *,
    max_lead: int = 960_000,
    held: bool = False,
    unfinished: bool = False,
    shared: bool = False,
    tally: Tally | None = None,
    notary: Notary | None = None,
    colleagues: Colleagues | None = None,
    recordings: RecordingPorts | None = None,
    witness: Witness | None = None,
    capabilities: Capabilities = CAPABILITIES,
    still: bool = False,
) -> AsyncIterator[Served]:
    """A gateway on a free port. ``held``: the recognizer takes nothing yet; ``unfinished``: it ends no session yet.

    ``still``: its clock stands, so that no more is allowed by and by of what is limited by the minute.
    """
    log, bus, board = MemoryAudioLog(max_lead=max_lead), MemoryResultBus(), MemoryLoadBoard()
    metrics, health = Metrics(), Health("model")
    health.set("model", State.OK)
    recognizer = ScriptedRecognizer(log, bus)
    if not held:
        recognizer.listening.set()
    if not unfinished:
        recognizer.finishing.set()

    def standing(session_id: str) -> Standing | None:
        staged = log.staged(session_id)
        return None if staged is None else Standing(worker="worker-0", staged=staged)

    ports = Ports(
        directory=MemorySessionDirectory(),
        audio_log=log,
        results=bus,
        board=board,
        clock=StillClock() if still else SystemClock(),
        metrics=metrics,
        shared=shared,
        tally=tally,
        notary=notary,
        colleagues=colleagues,
        standing=standing,
        recordings=recordings,
        witness=witness,
    )
    gateway = Gateway(patient(options or GatewayOptions(port=0)), ports, capabilities, health)
    recognizing = asyncio.create_task(recognizer.run())
    try:
        listeners = listen_everywhere(gateway.options)
        ports_of_dialects = listeners.ports
        async with serving(gateway, listeners) as (host, port):
            yield Served(gateway, recognizer, log, bus, board, health, metrics, host, port, ports_of_dialects)
            recognizer.listening.set()
            recognizer.finishing.set()
            await gateway.drain(PATIENCE)
        assert gateway.active == 0
        assert log.lag() == 0
    finally:
        await log.close()
        recognizer.listening.set()
        recognizer.finishing.set()
        await recognizing


async def hear(client: ClientConnection, *, until: str = "") -> list[dict[str, Any]]:
    """What the server says, up to the first message of type ``until``, or to the end."""
    said: list[dict[str, Any]] = []
    try:
        while not said or said[-1]["type"] != until:
            said.append(json.loads(await client.recv()))
    except ConnectionClosed:
        assert not until, f"closed before {until}: {said}"
    return said


async def until(true: Callable[[], bool]) -> None:
    """Let others run until ``true``, which nothing announces."""
    while not true():  # noqa: ASYNC110  # the loop's turns are all there is to wait for
        await asyncio.sleep(0)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Play ``scenario`` on the loop used in production; it must not hang, nor leave a task behind."""

    async def watched() -> None:
        async with asyncio.timeout(PATIENCE):
            await scenario()
        await nobody_left()

    uvloop.run(watched())
