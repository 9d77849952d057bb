"""What others take of the cores, from what the kernel counts of our threads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starling.core.load import Rung
from starling.core.ports import StreamOptions
from starling.engine.scripted import ScriptedEngine
from starling.scheduler.competition import MOST, Competition, Turns, taken
from starling.scheduler.job import Job, Kind
from starling.scheduler.planner import Planner

seconds = st.floats(0, 10)


def test_who_waits_while_none_of_us_runs_waits_for_others() -> None:
    assert taken({1: (5.0, 1.0)}, {1: (5.5, 1.5)}) == pytest.approx(0.5)


def test_who_waits_for_one_of_us_was_robbed_by_nobody() -> None:
    assert taken({1: (0.0, 0.0), 2: (0.0, 0.0)}, {1: (0.2, 0.6), 2: (0.8, 0.1)}) == 0


def test_what_cannot_be_ours_is_others() -> None:
    assert taken({1: (0.0, 0.0), 2: (0.0, 0.0)}, {1: (0.2, 0.6), 2: (0.3, 0.0)}) == pytest.approx(0.3)


def test_threads_that_come_and_go_are_left_out_and_nobody_takes_nothing() -> None:
    assert taken({1: (0.0, 0.0)}, {2: (1.0, 9.0)}) == 0
    assert taken({}, {}) == 0


@given(st.dictionaries(st.integers(0, 5), st.tuples(seconds, seconds), max_size=4))
def test_it_is_never_less_than_nothing_nor_more_than_the_longest_wait(after: Turns) -> None:
    lost = taken(dict.fromkeys(after, (0.0, 0.0)), after)
    assert 0 <= lost <= max((waited for _, waited in after.values()), default=0.0)


def shared(competition: Competition, seconds: float, *, wants: float, share: float, since: float = 0.0) -> float:
    """One thread that needs ``wants`` seconds of a core per second, and gets one for ``share`` of the time that it asks."""
    now = since
    for step in range(round(seconds / 0.25)):
        now = since + 0.25 * step
        ran = min(wants, share) * now
        competition.look(now, {1: (ran, ran * (1 / share - 1))})
    return now


def test_alone_nothing_is_lost() -> None:
    competition = Competition()
    shared(competition, 30, wants=0.8, share=1.0)
    assert competition.lost == 0


def test_beside_an_equal_as_much_as_it_computes_is_lost_and_it_is_forgotten() -> None:
    competition = Competition()
    now = shared(competition, 30, wants=0.4, share=0.5)
    assert competition.lost == pytest.approx(0.4, abs=0.02)
    for _ in range(20):
        now += 1.0
        competition.look(now, {1: (12.0, 12.0)})
    assert competition.lost < 0.05


def test_it_is_never_more_than_most() -> None:
    competition = Competition()
    shared(competition, 300, wants=1.0, share=0.01)
    assert competition.lost == pytest.approx(MOST)


STREAM = ScriptedEngine().create_stream(StreamOptions())


def planned(sessions: int, lost: float) -> Planner:
    """A minute of ``sessions`` that each need 0.02 of an engine for partials."""
    planner = Planner(0.85)
    for tenth in range(600):
        now = tenth / 10
        for index in range(sessions):
            if (tenth + index) % 3 == 0:
                job = Job(str(index), 0, Kind.PARTIAL, STREAM, now, audio=2.5, due=now)
                planner.asked(job, now)
                planner.decoded(job, 0.006)
        planner.look(now, sessions=sessions, lateness=0.0, lost=lost)
    return planner


def test_where_others_take_half_there_is_room_for_half_as_many_at_the_same_cost() -> None:
    alone, beside = (planned(10, lost).look(60.0, sessions=10, lateness=0.0, lost=lost) for lost in (0.0, 0.5))
    assert beside.each == pytest.approx(alone.each)
    assert alone.room - beside.room == pytest.approx(0.85 / 2)
    assert alone.rung is Rung.NORMAL
    assert planned(30, 0.5).look(60.0, sessions=30, lateness=0.0, lost=0.5).rung is Rung.REFUSING
