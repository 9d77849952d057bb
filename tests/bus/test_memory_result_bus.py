from __future__ import annotations

from contracts.result_bus_contract import ResultBusContract
from starling.bus.history import KEPT
from starling.bus.memory import MemoryResultBus
from virtual_time import at_once


class TestMemoryResultBus(ResultBusContract):
    def make(self, kept: int = KEPT) -> MemoryResultBus:
        return MemoryResultBus(kept=kept)


def test_a_forgotten_session_leaves_nothing_behind() -> None:
    bus = MemoryResultBus()
    at_once(bus.subscribe("s")).close()
    at_once(bus.forget("s"))
    assert not bus._channels
