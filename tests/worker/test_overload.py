"""What a recognizer does when more is asked of it than it can do, with decodes that take the time they would take."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pytest

from starling.core.config import SessionConfig
from starling.core.load import Load, Priority, Rung
from starling.core.transcript import SessionDone, Transcript
from virtual_time import run, stopped
from worker.costed import CostedEngine, Heard, talk
from worker.rig import Rig

CONFIG = SessionConfig(partial_interval=0.3, endpoint_silence=0.5)
DURATION = 40.0
WARM = 10.0
"""Seconds after which everybody speaks and the demand is known."""

RATED = 26
"""Sessions that ask for 0.85 of the engine when their partials come half as often as they ask: 14 ms/s of finals each, and 18."""


@dataclass
class Play:
    """What was heard in sessions that all speak at once, each at its own pace, and what their recognizer said of it."""

    heard: list[Heard]
    loads: list[Load] = field(default_factory=list)

    def late(self, percentile: float) -> float:
        return float(np.percentile([late for one in self.heard for late in one.final_latencies(WARM)], percentile))

    def first(self, percentile: float) -> float:
        return float(np.percentile([late for one in self.heard for late in one.first_latencies(WARM)], percentile))

    def cadence(self, sessions: slice = slice(None)) -> float:
        """Partials per second of a session."""
        heard = self.heard[sessions]
        return sum(one.partials(WARM, DURATION) for one in heard) / len(heard) / (DURATION - WARM)


@cache
def play(sessions: int, low: int = 0, phrase: float = 4.0) -> Play:
    """``low``: how many of the sessions, the first ones, have low priority. ``phrase``: seconds that people speak at a time."""
    engine = CostedEngine()
    told = Play([Heard() for _ in range(sessions)])

    async def scenario() -> None:
        rig = Rig(decode=lambda: engine.cost, listen=lambda: 0.002, engine=engine)

        async def watch() -> None:
            while True:
                await asyncio.sleep(1.0)
                told.loads += rig.board.loads().values()

        watching = asyncio.create_task(watch())
        async with rig.running() as worker, asyncio.TaskGroup() as tasks:
            for index, heard in enumerate(told.heard):
                records = talk(str(index), DURATION, phrase=phrase, offset=(index * 0.618 * (phrase + 0.8)) % (phrase + 0.8))
                priority = Priority.LOW if index < low else Priority.NORMAL
                tasks.create_task(rig.client(str(index), records, config=CONFIG, heard=heard, priority=priority))
            await asyncio.sleep(DURATION - 1)
            assert len(worker._decoder._batcher) <= 2 * sessions
        assert not rig.board.loads(), "who is gone says nothing"
        await stopped(watching)

    run(scenario())
    return told


def steady(told: Play) -> list[Load]:
    return told.loads[2 * round(WARM) : round(DURATION) - 2]


def test_below_capacity_nothing_gives_way() -> None:
    told = play(round(0.6 * RATED))
    assert {load.rung for load in told.loads} == {Rung.NORMAL}
    assert told.cadence() > 2.3
    assert told.late(95) < 0.25


def test_at_four_fifths_of_the_rated_load_finals_are_in_time() -> None:
    assert play(round(0.8 * RATED)).late(99) <= 0.3


def test_the_slowest_final_waits_for_the_decode_in_hand_and_one_other_final() -> None:
    once = 0.004 + 0.004 * 10.5  # seconds that a partial of such a segment takes at most; a final takes three times that
    to_be_heard = 0.1
    assert play(14, phrase=9.0).late(100) <= to_be_heard + once + 2 * 3 * once


def test_just_below_the_rated_load_partials_come_less_often_and_nobody_is_refused() -> None:
    told = play(RATED - 1)
    assert {load.rung for load in steady(told)} == {Rung.STRETCHED}
    assert 1.1 < told.cadence() < 2.0
    assert told.late(99) < 0.3


def test_at_twice_the_rated_load_partials_are_rare_finals_in_time_and_new_sessions_refused() -> None:
    told, normal = play(2 * RATED), play(RATED)
    assert {load.rung for load in steady(told)} == {Rung.REFUSING}
    assert 0.0 < told.cadence() < 0.5
    assert told.late(95) <= 1.5 * normal.late(95)
    assert told.first(95) <= 2 * normal.first(95), "first words are defended"
    for heard in told.heard:
        assert isinstance(heard.events[-1][1], SessionDone)
        assert sum(isinstance(event, Transcript) and event.is_final for _, event in heard.events) == round(DURATION / 4.8)


def test_partials_of_low_priority_go_first() -> None:
    sessions = round(1.5 * RATED)
    low = sessions // 2
    told = play(sessions, low)
    assert told.cadence(slice(low)) < 0.3 * told.cadence(slice(low, None))
    assert told.late(95) < 0.3


@pytest.mark.parametrize("sessions", [round(0.6 * RATED), RATED, 2 * RATED])
def test_the_limit_of_sessions_is_what_they_cost_and_stays_there(sessions: int) -> None:
    limits = [0.85 / load.each for load in steady(play(sessions))]
    assert min(limits) >= 0.8 * RATED
    assert max(limits) <= 1.35 * RATED
    assert len(set(limits)) <= 5
    assert all(1 <= load.retry_after <= 30 for load in play(sessions).loads)
