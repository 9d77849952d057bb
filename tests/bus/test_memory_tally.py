from __future__ import annotations

from contracts.tally_contract import TallyContract
from starling.bus.memory import MemoryTally


class TestMemoryTally(TallyContract):
    def make(self) -> tuple[MemoryTally, MemoryTally]:
        one = MemoryTally("one")
        return one, one.at("two")
