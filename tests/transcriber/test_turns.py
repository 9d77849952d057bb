"""Who computes while more recordings were begun than may compute at once."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

from hypothesis import given
from hypothesis import strategies as st

from starling.transcriber.turns import LOOK, PATIENCE, TURN, TakingTurns, Turns
from virtual_time import run


def test_what_somebody_waits_for_goes_first() -> None:
    turns = Turns(1)
    hours = turns.join(0.0, urgent=False)
    assert turns.decide(0.0) == {hours}
    short = turns.join(100.0, urgent=True)
    assert turns.decide(100.0) == {short}
    turns.leave(short)
    assert turns.decide(103.0) == {hours}


def test_a_short_one_goes_before_a_long_one_that_somebody_waits_for_too() -> None:
    turns = Turns(1)
    long = turns.join(0.0, urgent=True)
    assert turns.decide(0.0) == {long}
    short = turns.join(60.0, urgent=True)
    assert [turns.decide(60.0 + each) for each in range(5)] == [{short}] * 5


def test_places_that_are_free_are_taken_whoever_goes_first() -> None:
    turns = Turns(2)
    everybody = {turns.join(0.0, urgent=False), turns.join(0.0, urgent=True)}
    assert turns.decide(0.0) == everybody
    assert not turns.crowded


@given(
    places=st.integers(1, 3),
    patient=st.integers(1, 3),
    urgent=st.lists(st.tuples(st.integers(0, 100), st.integers(1, 40)), max_size=12),
)
def test_nobody_stands_still_for_ever_and_no_place_is_left_empty(
    places: int, patient: int, urgent: list[tuple[int, int]]
) -> None:
    """``urgent``: when each comes, and for how long it stays."""
    turns = Turns(places)
    there = {turns.join(0.0, urgent=False): 0 for _ in range(patient)}
    until: dict[int, int] = {}
    for now in range(160):
        for number in [number for number, end in until.items() if end <= now]:
            turns.leave(number)
            del until[number], there[number]
        for began, length in urgent:
            if began == now:
                until[turns.join(float(now), urgent=True)] = now + length
                there[max(until)] = 0
        chosen = turns.decide(float(now))
        assert len(chosen) == min(places, len(there))
        there = {number: 0 if number in chosen else stood + 1 for number, stood in there.items()}
        assert max(there.values()) <= PATIENCE + LOOK + TURN * len(there)  # those who were due before it have their turns first


class Process:
    def __init__(self) -> None:
        self.said: list[str] = []

    def pause(self) -> None:
        self.said.append("pause")

    def resume(self) -> None:
        self.said.append("resume")


def test_processes_stand_still_and_go_on() -> None:
    async def scenario() -> None:
        turns = TakingTurns(1, asyncio.get_running_loop().time)
        hours, short = Process(), Process()
        with turns.taking(hours, urgent=False):
            await asyncio.sleep(100)
            assert hours.said == []
            with turns.taking(short, urgent=True):
                assert (hours.said, short.said) == (["pause"], [])
                await asyncio.sleep(PATIENCE + LOOK)
                assert (hours.said, short.said) == (["pause", "resume"], ["pause"])
                await asyncio.sleep(TURN + LOOK)
                assert (hours.said[2:], short.said) == (["pause"], ["pause", "resume"])
            assert hours.said[3:] == ["resume"]
            await asyncio.sleep(100)
        assert len(hours.said) == 4

    run(scenario())


def test_who_ended_while_it_stood_still_is_not_told_to_go_on() -> None:
    async def scenario() -> None:
        turns = TakingTurns(1, asyncio.get_running_loop().time)
        one, other = Process(), Process()
        with ExitStack() as first:
            first.enter_context(turns.taking(one, urgent=False))
            with turns.taking(other, urgent=True):
                first.close()
            assert one.said == ["pause"]
            assert other.said == []

    run(scenario())


def test_where_there_is_no_limit_nobody_is_told_anything() -> None:
    async def scenario() -> None:
        turns, processes = TakingTurns(None, asyncio.get_running_loop().time), [Process() for _ in range(20)]
        with ExitStack() as all_of_them:
            for process in processes:
                all_of_them.enter_context(turns.taking(process, urgent=False))
            await asyncio.sleep(100)
        assert not any(process.said for process in processes)

    run(scenario())
