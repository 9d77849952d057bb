"""Calls of models, on a thread of their own."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from functools import partial

import pytest

from starling.app.model_thread import ModelThread


def test_a_call_answers_from_its_own_thread() -> None:
    async def scenario() -> None:
        with ModelThread("decode") as decode:
            assert await decode(lambda: threading.current_thread().name) == "decode"

    asyncio.run(scenario())


def test_what_a_call_raises_reaches_who_waits_and_the_next_call_is_served() -> None:
    def broken() -> int:
        raise RuntimeError("no")

    async def scenario() -> None:
        with ModelThread("decode") as decode:
            with pytest.raises(RuntimeError, match="no"):
                await decode(broken)
            assert await decode(lambda: 2) == 2

    asyncio.run(scenario())


def test_calls_follow_each_other() -> None:
    done: list[int] = []

    async def scenario() -> None:
        with ModelThread("decode") as decode:
            await asyncio.gather(*(decode(partial(done.append, number)) for number in range(100)))

    asyncio.run(scenario())
    assert done == list(range(100))


def test_a_call_that_nobody_waits_for_is_left_out() -> None:
    called: list[str] = []

    async def scenario() -> None:
        begun, go_on = threading.Event(), threading.Event()

        def first() -> None:
            begun.set()
            go_on.wait()
            called.append("first")

        with ModelThread("decode") as decode:
            first_one = asyncio.ensure_future(decode(first))
            second_one = asyncio.ensure_future(decode(lambda: called.append("second")))
            begun.wait()
            second_one.cancel()
            first_one.cancel()
            go_on.set()

    asyncio.run(scenario())
    assert called == ["first"]


def test_the_end_waits_for_the_last_call_even_after_its_loop() -> None:
    done: list[bool] = []
    go_on = threading.Event()

    async def scenario(decode: ModelThread) -> None:
        decode(lambda: done.append(go_on.wait()))

    with ModelThread("decode") as decode:
        asyncio.run(scenario(decode))
        go_on.set()
    assert done == [True]


def test_nothing_of_a_call_is_held_while_none_comes() -> None:
    class Sound:
        """Stands for what a session holds."""

    async def scenario() -> None:
        with ModelThread("decode") as decode:
            sound = Sound()
            held = weakref.ref(sound)
            await decode(partial(type, sound))
            del sound
            await decode(lambda: None)  # by now the thread is through with the call before
            gc.collect()
            assert held() is None

    asyncio.run(scenario())
