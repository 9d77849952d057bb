"""What all Colleagues promise. A test module inherits ColleaguesContract and says how to make gateways that know each other."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from starling.core.ports import Colleagues
from virtual_time import run


class ColleaguesContract:
    def run(self, scenario: Coroutine[Any, Any, None]) -> None:
        """Run ``scenario`` where time costs nothing."""
        run(scenario)

    def make(self, *names: str) -> Sequence[Colleagues]:
        """The ends of gateways of these names."""
        raise NotImplementedError

    async def introduce(self) -> None:
        """Let them know each other."""

    def test_each_other_gateway_answers_and_nobody_asks_itself(self) -> None:
        async def scenario() -> None:
            ends = self.make("one", "two", "three")
            await self.introduce()
            for end in ends:
                end.on_question(lambda question, name=end.name: question + name.encode())  # type: ignore[misc]
            asked = await asyncio.gather(*(ends[0].ask(b"%d\0" % number) for number in range(10)))
            assert asked == [{"two": b"%d\0two" % number, "three": b"%d\0three" % number} for number in range(10)]
            assert await ends[1].ask(b"") == {"one": b"one", "three": b"three"}

        self.run(scenario())

    def test_one_alone_asks_nobody(self) -> None:
        async def scenario() -> None:
            (alone,) = self.make("one")
            await self.introduce()
            alone.on_question(bytes)
            assert await alone.ask(b"?") == {}

        self.run(scenario())
