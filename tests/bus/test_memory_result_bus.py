from __future__ import annotations

from contracts.result_bus_contract import ResultBusContract
from starling.bus.history import KEPT
from starling.bus.memory import MemoryResultBus


class TestMemoryResultBus(ResultBusContract):
    def make(self, kept: int = KEPT) -> MemoryResultBus:
        return MemoryResultBus(kept=kept)


def test_a_forgotten_session_leaves_nothing_behind() -> None:
    bus = MemoryResultBus()
    bus.subscribe("s").close()
    bus.forget("s")
    assert not bus._channels
