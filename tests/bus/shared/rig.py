"""Shared memory in one process: the gateway's and a worker's ends together, and a supervisor that gives everything to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from starling.bus.shared.arena import Arena
from starling.bus.shared.audio_log import GatewayAudioLog, WorkerAudioLog
from starling.bus.shared.bells import Watch
from starling.bus.shared.layout import Geometry
from starling.bus.shared.log_reader import LogReader
from starling.bus.shared.log_writer import LogWriter
from starling.bus.shared.ownership import Ownership
from starling.bus.shared.result_bus import GatewayResultBus, WorkerResultBus
from starling.bus.shared.results_writer import ResultsWriter
from starling.bus.shared.slots import Slots
from starling.core.ports import Subscription
from starling.core.records import Checkpoint, Record, Tail
from starling.core.transcript import SessionEvent


def arena(*, slots: int = 8, workers: int = 2, max_lead: int = 32_000) -> Arena:
    return Arena.create(Geometry(slots=slots, workers=workers, max_lead=max_lead))


class OneProcessLog:
    """An AudioLog whose two ends share an arena and a process."""

    def __init__(self, arena: Arena) -> None:
        self.arena = arena
        self.ownership = Ownership(arena)
        self.slots = Slots(arena)
        self.writer = LogWriter(arena, self.slots)
        self.reader = LogReader(arena, 0)
        self.gateway_watch, self.worker_watch = Watch(arena.gateway_bell), Watch(arena.worker_bells[0])
        self.gateway = GatewayAudioLog(self.writer, self.slots, self.gateway_watch)
        self.worker = WorkerAudioLog(self.reader, self.worker_watch)

    def wake(self) -> None:
        """Ring for both ends."""
        self.gateway_watch.rung()
        self.worker_watch.rung()

    async def append(self, record: Record) -> None:
        await self.gateway.append(record)
        for slot in self.ownership.waiting():
            self.ownership.assign(slot, 0)

    def follow(self) -> AsyncIterator[Sequence[Record]]:
        return self.worker.follow()

    async def commit(self, session_id: str, checkpoint: Checkpoint) -> None:
        await self.worker.commit(session_id, checkpoint)

    async def forget(self, session_id: str) -> None:
        await self.worker.forget(session_id)
        await self.gateway.forget(session_id)

    async def tail(self, session_id: str) -> Tail:
        return await self.gateway.tail(session_id)

    def lag(self) -> int:
        return self.gateway.lag()

    async def close(self) -> None:
        await self.gateway.close()
        await self.worker.close()


class OneProcessResults:
    """A ResultBus whose two ends share an arena and a process. Nobody owns its sessions."""

    def __init__(self, arena: Arena, *, kept: int) -> None:
        self.gateway = GatewayResultBus(arena, Slots(arena), Watch(arena.gateway_bell))
        self.worker = WorkerResultBus(ResultsWriter(arena, None, kept=kept))

    async def subscribe(self, session_id: str, *, after: int | None = None) -> Subscription:
        return await self.gateway.subscribe(session_id, after=after)

    async def publish(self, event: SessionEvent) -> None:
        await self.worker.publish(event)

    async def forget(self, session_id: str) -> None:
        await self.gateway.forget(session_id)
