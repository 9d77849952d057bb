from __future__ import annotations

from collections.abc import Mapping, Sequence

from contracts.witness_contract import WitnessContract
from starling.bus.memory import MemoryWitness
from starling.core.ports import Work


class TestMemoryWitness(WitnessContract):
    def make(self) -> MemoryWitness:
        self.witness = MemoryWitness()
        return self.witness

    def in_hand(self) -> Mapping[Work, int]:
        return {work: len(session_ids) for work, session_ids in self.witness.in_hand.items()}

    def suspect(self, session_ids: Sequence[str]) -> None:
        self.witness.suspected = set(session_ids)
