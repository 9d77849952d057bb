"""What each process of the platform has of the bus, all of it over one arena and one bell."""

from __future__ import annotations

from dataclasses import dataclass

from starling.bus.shared.arena import Arena
from starling.bus.shared.audio_log import GatewayAudioLog, WorkerAudioLog
from starling.bus.shared.bells import Watch
from starling.bus.shared.directory import SharedSessionDirectory
from starling.bus.shared.load_board import SharedLoadBoard
from starling.bus.shared.log_reader import LogReader
from starling.bus.shared.log_writer import LogWriter
from starling.bus.shared.result_bus import GatewayResultBus, WorkerResultBus
from starling.bus.shared.results_writer import ResultsWriter
from starling.bus.shared.slots import Slots


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySide:
    """The ports of the gateway. ``abandoned``: sessions that a gateway before it had not listed in time, and that are over."""

    audio_log: GatewayAudioLog
    results: GatewayResultBus
    directory: SharedSessionDirectory
    loads: SharedLoadBoard
    abandoned: tuple[str, ...]

    @classmethod
    def of(cls, arena: Arena) -> GatewaySide:
        """Of the one gateway process there is."""
        slots, watch = Slots(arena), Watch(arena.gateway_bell)
        abandoned = slots.abandon_unlisted()
        return cls(
            audio_log=GatewayAudioLog(LogWriter(arena, slots), slots, watch),
            results=GatewayResultBus(arena, slots, watch),
            directory=SharedSessionDirectory(arena, slots),
            loads=SharedLoadBoard(arena),
            abandoned=tuple(abandoned),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSide:
    """The ports of a worker."""

    audio_log: WorkerAudioLog
    results: WorkerResultBus
    loads: SharedLoadBoard

    @classmethod
    def of(cls, arena: Arena, worker: int, worker_id: str) -> WorkerSide:
        """``worker``: its row in the arena. ``worker_id``: its name on the load board."""
        return cls(
            audio_log=WorkerAudioLog(LogReader(arena, worker), Watch(arena.worker_bells[worker])),
            results=WorkerResultBus(ResultsWriter(arena, worker)),
            loads=SharedLoadBoard(arena, {worker_id: worker}),
        )
