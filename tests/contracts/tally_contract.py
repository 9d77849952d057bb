"""What every Tally promises. A test module inherits TallyContract and says how to make two gateways' tallies."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from starling.core.ports import Tally
from virtual_time import run


class TallyContract:
    def run(self, scenario: Coroutine[Any, Any, None]) -> None:
        """Run ``scenario`` where time costs nothing."""
        run(scenario)

    def make(self) -> tuple[Tally, Tally]:
        """The tallies of two gateways that share one."""
        raise NotImplementedError

    def test_sessions_are_counted_over_all_gateways(self) -> None:
        async def scenario() -> None:
            one, two = self.make()
            assert await one.enter("t", 1, 2)
            assert await two.enter("t", 1, 2)
            assert not await one.enter("t", 2, 2)
            assert not await two.enter("t", 2, 2)
            assert await two.enter("other", 1, 1)
            await one.exchange(7, {"t": (0, 0.0)})
            assert await two.enter("t", 2, 2)

        self.run(scenario())

    def test_who_comes_at_once_finds_the_same_room_once(self) -> None:
        async def scenario() -> None:
            one, two = self.make()
            answers = await asyncio.gather(*(gateway.enter("t", mine, 5) for mine in range(1, 5) for gateway in (one, two)))
            assert sum(answers) == 5

        self.run(scenario())

    def test_audio_of_others_is_told_by_the_day(self) -> None:
        async def scenario() -> None:
            one, two = self.make()
            assert await one.exchange(7, {"t": (1, 10.5), "u": (0, 1.0)}) == {"t": 0, "u": 0}
            assert await two.exchange(7, {"t": (1, 2.25)}) == {"t": pytest.approx(10.5)}
            assert await one.exchange(7, {"t": (1, 11.0)}) == {"t": pytest.approx(2.25)}
            assert await one.exchange(7, {"t": (1, 11.0)}) == {"t": pytest.approx(2.25)}, "saying it again adds nothing"
            assert await two.exchange(8, {"t": (1, 0.5)}) == {"t": 0}
            assert await two.exchange(8, {}) == {}

        self.run(scenario())
