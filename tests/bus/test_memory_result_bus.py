from __future__ import annotations

from contracts.result_bus_contract import ResultBusContract
from starling.bus.memory import MemoryResultBus


class TestMemoryResultBus(ResultBusContract):
    def make(self) -> MemoryResultBus:
        return MemoryResultBus()


def test_a_closed_subscription_leaves_nothing_behind() -> None:
    bus = MemoryResultBus()
    for _ in range(3):
        bus.subscribe("s").close()
    assert not bus._subscriptions
