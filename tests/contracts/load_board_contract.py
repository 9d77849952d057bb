"""What every LoadBoard promises. A test module inherits LoadBoardContract and says how to make its board."""

from __future__ import annotations

from starling.core.load import Load, Rung
from starling.core.ports import LoadBoard


def load(sessions: int, rung: Rung = Rung.NORMAL) -> Load:
    return Load(sessions=sessions, demand=sessions / 16, room=0.3, each=0.05, rung=rung, retry_after=2.5, at=7.25)


class LoadBoardContract:
    def make(self) -> LoadBoard:
        """A board on which workers ``w1`` and ``w2`` may post."""
        raise NotImplementedError

    def test_nobody_has_said_anything_at_first(self) -> None:
        assert self.make().loads() == {}

    def test_the_last_word_of_each_counts(self) -> None:
        board = self.make()
        board.post("w1", load(3))
        board.post("w2", load(30, Rung.REFUSING))
        board.post("w1", load(4, Rung.STRETCHED))
        assert board.loads() == {"w1": load(4, Rung.STRETCHED), "w2": load(30, Rung.REFUSING)}

    def test_who_is_gone_says_nothing(self) -> None:
        board = self.make()
        board.withdraw("w1")
        board.post("w1", load(3))
        board.post("w2", load(5))
        board.withdraw("w1")
        assert board.loads() == {"w2": load(5)}

    def test_what_was_read_does_not_change(self) -> None:
        board = self.make()
        board.post("w1", load(1))
        seen = board.loads()
        board.post("w1", load(2))
        board.post("w2", load(2))
        assert seen == {"w1": load(1)}
