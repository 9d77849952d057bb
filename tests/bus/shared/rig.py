"""Shared memory in one process: the gateway's and a worker's ends together, and a supervisor that gives everything to it."""

from __future__ import annotations

from bus.one_process import OneProcessLog, OneProcessResults
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
from starling.core.records import Record


def arena(*, slots: int = 8, workers: int = 2, max_lead: int = 32_000) -> Arena:
    return Arena.create(Geometry(slots=slots, workers=workers, max_lead=max_lead))


class SharedLog(OneProcessLog[GatewayAudioLog, WorkerAudioLog]):
    """Over an arena, whose supervisor gives every session to its only worker."""

    def __init__(self, arena: Arena) -> None:
        self.arena = arena
        self.ownership = Ownership(arena)
        self.slots = Slots(arena)
        self.writer = LogWriter(arena, self.slots)
        self.reader = LogReader(arena, 0)
        self.gateway_watch, self.worker_watch = Watch(arena.gateway_bell), Watch(arena.worker_bells[0])
        super().__init__(
            GatewayAudioLog(self.writer, self.slots, self.gateway_watch), WorkerAudioLog(self.reader, self.worker_watch)
        )

    def wake(self) -> None:
        """Ring for both ends."""
        self.gateway_watch.rung()
        self.worker_watch.rung()

    async def append(self, record: Record) -> None:
        await super().append(record)
        for slot in self.ownership.waiting():
            self.ownership.assign(slot, 0)


class SharedResults(OneProcessResults):
    """Over an arena."""

    def __init__(self, arena: Arena, *, kept: int) -> None:
        super().__init__(
            GatewayResultBus(arena, Slots(arena), Watch(arena.gateway_bell)),
            WorkerResultBus(ResultsWriter(arena, None, kept=kept)),
        )
