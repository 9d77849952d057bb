from __future__ import annotations

from contracts.notary_contract import NotaryContract
from starling.bus.memory import MemoryNotary
from virtual_time import run


class TestMemoryNotary(NotaryContract):
    def make(self) -> tuple[MemoryNotary, MemoryNotary]:
        notary = MemoryNotary()
        return notary, notary


def test_what_was_used_is_forgotten_in_time() -> None:
    async def scenario() -> None:
        now = 0.0
        notary = MemoryNotary(lambda: now, b"r")
        for _ in range(3):
            assert [await notary.spend(str(number), 10, b"r") for number in range(100)] == [True] * 100
            now += 9.5
            assert not await notary.spend("0", 10, b"r")
            now += 0.5
        assert await notary.spend("x", 10, b"r")
        assert len(notary._spent) == 1

    run(scenario())
