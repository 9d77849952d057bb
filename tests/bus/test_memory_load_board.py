from __future__ import annotations

from contracts.load_board_contract import LoadBoardContract
from starling.bus.memory import MemoryLoadBoard


class TestMemoryLoadBoard(LoadBoardContract):
    def make(self) -> MemoryLoadBoard:
        return MemoryLoadBoard()
