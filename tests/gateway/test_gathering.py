"""Rows: who speaks among many waits a moment, who is alone does not, and nothing is left behind."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest
from websockets.asyncio.client import connect

from gateway.gateway_harness import END, START, Served, hear, run, served, until
from starling.core.records import Audio
from starling.gateway import gathering
from starling.gateway.gathering import MANY, TICK, Gathering
from starling.gateway.websocket_protocol import GATHERED

AUDIO = np.full(1600, 1000, np.int16).tobytes()


def test_who_is_alone_waits_for_nobody() -> None:
    assert Gathering(lambda: 0).turn(lambda: None) is None
    assert Gathering(lambda: 1).turn(lambda: None) is None


def test_many_are_called_in_the_order_in_which_they_came_and_once() -> None:
    async def scenario() -> None:
        rows = Gathering(lambda: MANY + 1)
        called: list[int] = []
        done = asyncio.Event()
        turns = [rows.turn(lambda n=n: called.append(n)) for n in range(5)]  # type: ignore[misc]
        assert rows.turn(done.set) is not None
        assert called == []
        cancelled, hurried = turns[1], turns[3]
        assert cancelled is not None
        assert hurried is not None
        cancelled.cancel()
        hurried.take()
        assert called == [3]
        await done.wait()
        assert called == [3, 0, 2, 4]

    run(scenario)


def test_a_call_that_fails_holds_up_nobody() -> None:
    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        rows, done = Gathering(lambda: MANY + 1), asyncio.Event()
        rows.turn(lambda: 1 / 0)  # type: ignore[arg-type]
        rows.turn(done.set)
        await done.wait()

    run(scenario)


def test_the_more_speak_the_longer_is_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        asked: list[float] = []
        monkeypatch.setattr(asyncio, "get_running_loop", lambda: Clock(asked))
        for sessions in (2, MANY + 1, 1000):
            assert Gathering(lambda n=sessions: n).turn(lambda: None) is not None  # type: ignore[misc]
        assert asked == pytest.approx([1.0 + TICK / MANY, 1.0 + TICK, 1.0 + TICK], abs=1e-6)

    run(scenario)


class Clock:
    """A loop at a little more than one second."""

    def __init__(self, asked: list[float]) -> None:
        self._asked = asked

    def time(self) -> float:
        return 1.001

    def call_at(self, when: float, _: object) -> None:
        self._asked.append(when)


def heard(it: Served) -> int:
    """Samples that the recognizer has of all clients."""
    return sum(record.end - record.start for record in it.recognizer.records if isinstance(record, Audio))


@pytest.mark.parametrize("frames", [1, 2 * GATHERED // len(AUDIO)])
def test_what_is_lost_or_large_waits_for_no_row(monkeypatch: pytest.MonkeyPatch, frames: int) -> None:
    async def scenario() -> None:
        async with served() as it, it.connect() as client, it.connect() as other:
            for one in (client, other):
                await one.send(START)
                await hear(one, until="ready")
            monkeypatch.setattr(gathering, "TICK", 1e9)  # no row comes in this test's time
            for _ in range(frames):
                await client.send(AUDIO)
            if frames == 1:
                client.transport.abort()
            await until(lambda: heard(it) >= min(1024, frames * len(AUDIO) // 2 - GATHERED // 2))
            for one in (client, other):
                one.transport.abort()

    run(scenario)


def test_among_many_each_gets_what_it_said() -> None:
    async def scenario() -> None:
        async with served() as it:
            await asyncio.gather(*(speak(it.connect(), 1 + number) for number in range(MANY + 3)))

    async def speak(connecting: connect, chunks: int) -> None:
        async with connecting as client:
            await client.send(START)
            for _ in range(chunks):
                await client.send(AUDIO)
            await client.send(END)
            said = await hear(client)
            assert said[-1]["type"] == "done", json.dumps(said[-1])
            assert max(one.get("end", 0) for one in said) == pytest.approx(chunks * 0.1, abs=0.04)

    run(scenario)
