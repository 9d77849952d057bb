from __future__ import annotations

import pytest

from bus.shared.rig import arena
from contracts.load_board_contract import LoadBoardContract, load
from starling.bus.shared.load_board import SharedLoadBoard, withdraw
from starling.core.errors import IllegalTransition


class TestSharedLoadBoard(LoadBoardContract):
    def make(self) -> SharedLoadBoard:
        return SharedLoadBoard(arena(), {"w1": 0, "w2": 1})


def test_a_worker_posts_to_its_own_row_alone() -> None:
    shared = arena()
    board = SharedLoadBoard(shared, {"w1": 0})
    with pytest.raises(IllegalTransition, match="only w1"):
        board.post("w2", load(1))
    board.post("w1", load(2))
    assert SharedLoadBoard(shared).loads() == {"w1": load(2)}
    withdraw(shared, 0)
    assert board.loads() == {}
