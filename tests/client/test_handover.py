"""From threads to asyncio: order, bounds, errors, and threads nobody waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from patience import PATIENCE
from starling.client.handover import Handover, in_background


def on_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_a_reader_that_waits_is_woken() -> None:
    async def listen() -> str:
        handover: Handover[str] = Handover(1)
        reading = asyncio.ensure_future(anext(aiter(handover)))
        await asyncio.sleep(0)
        on_thread(lambda: handover.put("late"))
        return await reading

    assert asyncio.run(listen()) == "late"


def test_what_waits_is_bounded_and_can_be_read_after_the_close() -> None:
    async def listen() -> list[int]:
        handover: Handover[int] = Handover(3)
        assert [handover.put(n) for n in range(5)] == [True, True, True, False, False]
        handover.close()
        handover.close(ValueError("a second close does not count"))
        assert not handover.put(9)
        return [item async for item in handover]

    assert asyncio.run(listen()) == [0, 1, 2]


def test_a_thread_that_outlives_the_loop_does_no_harm() -> None:
    async def make() -> Handover[int]:
        return Handover(5)

    handover = asyncio.run(make())
    assert handover.put(1)
    handover.close()


def test_items_made_in_the_background_keep_their_order() -> None:
    async def listen() -> list[int]:
        return [item async for item in in_background(range(1000))]

    assert asyncio.run(listen()) == list(range(1000))


def test_the_background_is_only_so_far_ahead() -> None:
    made: list[int] = []
    enough = threading.Event()

    def items() -> Iterator[int]:
        for n in range(100):
            made.append(n)
            if n == 3:
                enough.set()
            yield n

    async def listen() -> None:
        background = in_background(items(), ahead=2)
        assert await anext(background) == 0
        assert enough.wait(PATIENCE)  # 0 was taken, 1 and 2 wait, 3 is made and has no room
        assert made == [0, 1, 2, 3]
        await background.aclose()  # type: ignore[attr-defined] # it is an async generator

    asyncio.run(listen())


def test_what_making_an_item_raises_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    async def listen() -> list[int]:
        heard: list[int] = []
        with pytest.raises(OSError, match="the disk is gone"):
            await drain(heard)
        return heard

    async def drain(heard: list[int]) -> None:
        async for item in in_background(items()):
            heard.append(item)  # noqa: PERF401 - what came before an error is the point

    assert asyncio.run(listen()) == [1]


def test_a_reader_that_hangs_does_not_keep_the_loop_alive() -> None:
    silence = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        silence.wait(PATIENCE)

    async def listen() -> int:
        async for item in in_background(items()):
            return item
        raise AssertionError

    assert asyncio.run(listen()) == 1
    silence.set()
