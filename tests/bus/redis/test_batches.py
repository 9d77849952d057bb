"""What is written together, and who waits for whom."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from starling.bus.redis.batches import Batches
from starling.core.errors import ServerError, ShuttingDown
from virtual_time import run


class Slow:
    """Writes a batch whenever it is let."""

    def __init__(self) -> None:
        self.written: list[list[int]] = []
        self.failing: Exception | None = None
        self._let = asyncio.Semaphore(0)

    async def write(self, batch: Sequence[int]) -> None:
        await self._let.acquire()
        if self.failing is not None:
            raise self.failing
        self.written.append(list(batch))

    def let(self, batches: int = 1) -> None:
        for _ in range(batches):
            self._let.release()


def test_what_comes_while_one_batch_is_written_is_the_next_and_nobody_waits_for_both() -> None:
    async def scenario() -> None:
        slow = Slow()
        batches = Batches(slow.write, 3)
        first = [batches.add(number) for number in range(2)]
        await asyncio.sleep(0.1)
        second = [batches.add(number) for number in range(2, 6)]
        slow.let()
        await asyncio.gather(*first)
        assert slow.written == [[0, 1]]
        assert not any(one.done() for one in second)
        slow.let(2)
        await asyncio.gather(*second)
        assert slow.written == [[0, 1], [2, 3, 4], [5]]

    run(scenario())


def test_what_one_batch_meets_is_told_to_its_own_and_the_next_is_tried() -> None:
    async def scenario() -> None:
        slow = Slow()
        batches = Batches(slow.write, 1)
        first, second = batches.add(1), batches.add(2)
        slow.failing = ServerError("no room")
        slow.let()
        with pytest.raises(ServerError):
            await first
        slow.failing = None
        slow.let()
        await second
        assert slow.written == [[2]]

    run(scenario())


def test_where_the_way_is_closed_all_that_wait_are_told() -> None:
    async def scenario() -> None:
        slow = Slow()
        batches = Batches(slow.write, 1)
        waiting = [batches.add(number) for number in range(3)]
        slow.failing = ShuttingDown("closed")
        slow.let()
        assert [type(it) for it in await asyncio.gather(*waiting, return_exceptions=True)] == 3 * [ShuttingDown]
        slow.failing = None
        slow.let()
        await batches.add(4)
        assert slow.written == [[4]]

    run(scenario())


def test_whoever_gives_up_waiting_takes_nothing_back() -> None:
    async def scenario() -> None:
        slow = Slow()
        batches = Batches(slow.write, 2)
        written = batches.add(1)
        impatient = asyncio.create_task(asyncio.wait_for(asyncio.shield(written), 1.0))
        with pytest.raises(TimeoutError):
            await impatient
        slow.let()
        await written
        assert slow.written == [[1]]

    run(scenario())
