from __future__ import annotations

from contracts.colleagues_contract import ColleaguesContract
from starling.bus.memory import MemoryColleagues
from virtual_time import run


class TestMemoryColleagues(ColleaguesContract):
    def make(self, *names: str) -> list[MemoryColleagues]:
        first, *others = names
        one = MemoryColleagues(first)
        return [one, *(one.at(name) for name in others)]


def test_who_has_nothing_to_answer_is_silent() -> None:
    async def scenario() -> None:
        one = MemoryColleagues("one")
        one.at("two")
        assert await one.ask(b"?") == {"two": None}

    run(scenario())
