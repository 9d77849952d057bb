"""A recognizer on virtual time with scripted models, and clients that speak to it at the pace of speech."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from starling.bus.memory import MemoryAudioLog, MemoryLoadBoard, MemoryResultBus, MemoryWitness
from starling.core.audio import seconds
from starling.core.config import SessionConfig
from starling.core.load import Priority
from starling.core.ports import Engine, Vad
from starling.core.records import Audio, Checkpoint, Followed, Gap, Opened, Record, Revoked
from starling.core.transcript import SessionDone, SessionEvent, SessionFailed
from starling.engine.scripted import ScriptedEngine
from starling.scheduler.batcher import BatchOptions
from starling.session.options import SegmentationOptions
from starling.telemetry.metrics import Metrics
from starling.vad.energy import EnergyVad
from starling.worker.ports import Ports
from starling.worker.recognize import RecognizerWorker
from virtual_time import CostedOffload, VirtualClock, stopped
from worker.costed import Heard

from scripted_session import CONFIG  # isort: skip


class Hop:
    """The way to another host: up to ``longest`` seconds, never the same twice."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._random = random.Random(0)

    async def __call__(self) -> None:
        await asyncio.sleep(self._random.uniform(0, self._longest))


class SlowLog(MemoryAudioLog):
    """As if it were on another host: what the recognizer asks of it takes up to ``delay`` seconds."""

    def __init__(self, delay: float) -> None:
        super().__init__()
        self._hop = Hop(delay)

    async def commit(self, session_id: str, checkpoint: Checkpoint) -> None:
        await self._hop()
        await super().commit(session_id, checkpoint)

    async def forget(self, session_id: str) -> None:
        await self._hop()
        await super().forget(session_id)


class RevokingLog(SlowLog):
    """As if its sessions were another follower's at times, and came back at once."""

    def __init__(self, delay: float) -> None:
        super().__init__(delay)
        self._revoked: list[Revoked] = []

    def revoke(self, session_id: str) -> None:
        """Take the session from its follower, and give it to it anew, from its last checkpoint on."""
        if (staged := self._sessions.get(session_id)) is not None:
            self._revoked.append(Revoked(session_id))
            staged.rewind()
            self._behind[session_id] = None
            self._wake.set()

    async def follow(self) -> AsyncIterator[Sequence[Followed]]:  # type: ignore[override]  # the twin never revokes
        async for batch in super().follow():
            revoked, self._revoked = self._revoked, []
            yield [*revoked, *batch]


class SlowBus(MemoryResultBus):
    """The same for results."""

    def __init__(self, delay: float) -> None:
        super().__init__()
        self._hop = Hop(delay)

    async def publish(self, event: SessionEvent) -> None:
        await self._hop()
        await super().publish(event)


class Rig:
    """``decode``, ``listen``: seconds that a call to the engine and to the detector take. ``hop``: at most, one to the bus."""

    def __init__(
        self,
        *,
        decode: Callable[[], float] = lambda: 0.0,
        listen: Callable[[], float] = lambda: 0.0,
        hop: float = 0.0,
        log: SlowLog | None = None,
        engine: Engine | None = None,
        vad: Vad | None = None,
        results: MemoryResultBus | None = None,
        segmentation: SegmentationOptions | None = None,
        batching: BatchOptions | None = None,
    ) -> None:
        self.clock = VirtualClock()
        self.metrics = Metrics()
        self.log = log or SlowLog(hop)
        self.results = results or SlowBus(hop)
        self.board = MemoryLoadBoard()
        self.witness = MemoryWitness()
        self.ports = Ports(
            audio_log=self.log,
            results=self.results,
            board=self.board,
            engine=engine or ScriptedEngine(),
            vad=vad or EnergyVad(),
            clock=self.clock,
            metrics=self.metrics,
            witness=self.witness,
        )
        self._segmentation = segmentation or SegmentationOptions()
        self._batching = batching or BatchOptions()
        self._costs = (decode, listen)

    def worker(self) -> RecognizerWorker:
        """A new worker on the same log, which is how one starts after another has died."""
        decode, listen = (CostedOffload(cost) for cost in self._costs)
        return RecognizerWorker(
            self.ports, worker_id="w1", listen=listen, decode=decode, segmentation=self._segmentation, batching=self._batching
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[RecognizerWorker]:
        """A worker for as long as the block runs; it must end by itself once the log is closed."""
        worker = self.worker()
        task = asyncio.create_task(worker.run(), name="worker")
        try:
            yield worker
            await self.log.close()
            async with asyncio.timeout(600):
                await task
        finally:
            await stopped(task)

    async def client(
        self,
        session_id: str,
        records: Iterable[Record],
        *,
        config: SessionConfig = CONFIG,
        in_real_time: bool = True,
        priority: Priority = Priority.NORMAL,
        heard: Heard | None = None,
    ) -> list[SessionEvent]:
        """Send the session's records, each when its sound is over; all that was said of them, which ``heard`` also gets."""
        subscription = await self.results.subscribe(session_id)
        begun = self.clock.now()
        await self.log.append(Opened(session_id, "trace", Checkpoint(config=config), priority))
        sending = asyncio.create_task(self._send(records, begun, in_real_time=in_real_time), name=f"client {session_id}")
        events = []
        async for event in subscription:
            events.append(event)
            if heard is not None:
                heard.events.append((self.clock.now(), event))
        if isinstance(events[-1], SessionFailed):
            await stopped(sending)
        assert isinstance(events[-1], SessionDone | SessionFailed)
        await sending if not sending.done() else None
        subscription.close()
        return events

    async def _send(self, records: Iterable[Record], begun: float, *, in_real_time: bool) -> None:
        for record in records:
            if isinstance(record, Audio | Gap):
                if in_real_time:
                    await asyncio.sleep(begun + seconds(record.end) - self.clock.now())
                await self.log.append(replace(record, arrived=self.clock.now()))
            else:
                await self.log.append(record)

    def measured(self, name: str, **labels: str) -> float:
        value = self.metrics.registry.get_sample_value(f"starling_{name}", labels)
        assert value is not None, name
        return value
