"""What every LoadBoard promises. A test module inherits LoadBoardContract and says how to make its board."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from starling.core.load import Load, Rung
from starling.core.ports import LoadBoard
from virtual_time import run, settle


def load(sessions: int, rung: Rung = Rung.NORMAL) -> Load:
    return Load(sessions=sessions, demand=sessions / 16, room=0.3, each=0.05, rung=rung, retry_after=2.5, at=7.25)


class LoadBoardContract:
    def run(self, scenario: Coroutine[Any, Any, None]) -> None:
        """Run ``scenario`` where time costs nothing."""
        run(scenario)

    def make(self) -> LoadBoard:
        """A board on which workers ``w1`` and ``w2`` may post."""
        raise NotImplementedError

    def test_nobody_has_said_anything_at_first(self) -> None:
        async def scenario() -> None:
            board = self.make()
            await settle()
            assert board.loads() == {}

        self.run(scenario())

    def test_the_last_word_of_each_counts(self) -> None:
        async def scenario() -> None:
            board = self.make()
            await settle()
            board.post("w1", load(3))
            board.post("w2", load(30, Rung.REFUSING))
            await settle()
            board.post("w1", load(4, Rung.STRETCHED))
            await settle()
            assert board.loads() == {"w1": load(4, Rung.STRETCHED), "w2": load(30, Rung.REFUSING)}

        self.run(scenario())

    def test_who_is_gone_says_nothing(self) -> None:
        async def scenario() -> None:
            board = self.make()
            await settle()
            board.withdraw("w1")
            board.post("w2", load(5))
            await settle()
            board.post("w1", load(3))
            await settle()
            board.withdraw("w1")
            await settle()
            assert board.loads() == {"w2": load(5)}

        self.run(scenario())

    def test_what_was_read_does_not_change(self) -> None:
        async def scenario() -> None:
            board = self.make()
            await settle()
            board.post("w1", load(1))
            await settle()
            seen = board.loads()
            board.post("w1", load(2))
            board.post("w2", load(2))
            await settle()
            assert seen == {"w1": load(1)}

        self.run(scenario())
