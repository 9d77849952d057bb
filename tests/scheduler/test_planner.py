from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starling.core.load import Load, Priority, Rung
from starling.core.ports import StreamOptions
from starling.engine.scripted import ScriptedEngine
from starling.scheduler.company import TALKING
from starling.scheduler.demand import MEMORY, Demand
from starling.scheduler.job import Job, Kind
from starling.scheduler.planner import Planner

STREAM = ScriptedEngine().create_stream(StreamOptions())


class Sessions:
    """Sessions that ask for a partial of 20 ms every 0.3 s and a final of 60 ms every 5 s, which takes ``noise`` times as long.

    Each is 0.079 at full cadence and 0.045 with half its partials: 18 fill 0.85 of an engine.
    """

    def __init__(self, seed: int = 0, noise: float = 0.0) -> None:
        self.planner = Planner(0.85)
        self.now = 0.0
        self.loads: list[Load] = []
        self._random = np.random.default_rng(seed)
        self._noise = noise

    @property
    def limit(self) -> int:
        """How many sessions that talk there is room for."""
        return math.floor(0.85 / self.loads[-1].each + 1e-6)

    def go_on(
        self, seconds: float, sessions: int, *, idle: int = 0, ahead: bool = False, lateness: float = 0.0, slow: float = 1.0
    ) -> None:
        for _ in range(round(seconds / 0.1)):
            self.now += 0.1
            due = self.now + 60 if ahead else self.now
            for index in range(sessions):
                step = round(self.now * 10) + index
                if step % 3 == 0:
                    self._ask(Job(str(index), 0, Kind.PARTIAL, STREAM, self.now, audio=2.5, due=due), 0.02 * slow)
                if step % 50 == 0:
                    self._ask(Job(str(index), 0, Kind.FINAL, STREAM, self.now, audio=5.0, due=due), 0.06 * slow)
            if round(self.now * 10) % 5 == 0:
                self.loads.append(self.planner.look(self.now, sessions=sessions + idle, lateness=lateness))

    def _ask(self, job: Job, cost: float) -> None:
        self.planner.asked(job, self.now)
        self.planner.decoded(job, cost * float(self._random.uniform(1 - self._noise, 1 + self._noise)))


@given(st.integers(0, 9), st.sampled_from([0.0, 0.3, 0.6]))
def test_the_limit_is_stable_against_noise(seed: int, noise: float) -> None:
    sessions = Sessions(seed, noise)
    sessions.go_on(60, 12)
    settled = len(sessions.loads)
    sessions.go_on(60, 12)
    limits = {math.floor(0.85 / load.each + 1e-6) for load in sessions.loads[settled:]}
    assert len(limits) <= 3
    assert 15 <= min(limits) <= max(limits) <= 22


def test_a_cold_server_refuses_none_of_its_first_sessions() -> None:
    sessions = Sessions()
    for count in range(1, 12):
        sessions.go_on(1.0, count, slow=1.5)
    assert all(load.rung < Rung.REFUSING for load in sessions.loads)


def test_demand_is_what_is_asked_at_full_cadence() -> None:
    sessions = Sessions()
    sessions.go_on(60, 10)
    assert sessions.loads[-1].demand == pytest.approx(0.79, rel=0.15)


def test_a_machine_that_slows_down_takes_fewer_sessions() -> None:
    sessions = Sessions()
    sessions.go_on(60, 12)
    before = sessions.limit
    sessions.go_on(300, 12, slow=3.0)
    assert sessions.limit < 0.5 * before
    assert sessions.loads[-1].rung is Rung.REFUSING


def test_clients_ahead_of_their_time_are_no_demand() -> None:
    sessions = Sessions()
    sessions.go_on(30, 40, ahead=True)
    assert sessions.loads[-1].demand == 0
    assert sessions.planner.plan.rung is Rung.NORMAL


def test_finals_that_come_late_shut_the_door_until_they_do_not() -> None:
    sessions = Sessions()
    sessions.go_on(10, 2)
    rungs = []
    for lateness in (0.9, 1.1, 0.5, 0.3, 0.2, 0.9):
        sessions.go_on(0.5, 2, lateness=lateness)
        rungs.append(sessions.loads[-1].rung)
    assert rungs == [Rung.NORMAL, Rung.REFUSING, Rung.REFUSING, Rung.REFUSING, Rung.NORMAL, Rung.NORMAL]


def test_who_is_refused_because_finals_are_late_may_come_again_at_once() -> None:
    sessions = Sessions()
    sessions.go_on(10, 2, lateness=1.1)
    assert sessions.loads[-1].rung is Rung.REFUSING
    assert sessions.loads[-1].retry_after == 1.0
    sessions.go_on(30, 30)
    assert sessions.loads[-1].rung is Rung.REFUSING
    assert sessions.loads[-1].retry_after > 1.0, "somebody must leave first"


def heard_again(sessions: Sessions, count: int, seconds: float) -> None:
    """All at once, what ``count`` sessions asked in the ``seconds`` before now, as a recognizer that takes over asks it."""
    for index in range(count):
        for step in range(round(seconds / 0.3)):
            due = sessions.now - seconds + 0.3 * step
            sessions.planner.asked(Job(str(index), 0, Kind.PARTIAL, STREAM, sessions.now, audio=2.5, due=due), sessions.now)


def test_what_is_heard_again_after_a_failure_is_no_more_demand_than_it_was_the_first_time() -> None:
    before, after = Sessions(), Sessions()
    before.go_on(30, 10)
    after.go_on(0.5, 0)
    heard_again(after, 10, 9.0)
    after.go_on(0.5, 10)
    assert after.loads[-1].rung < Rung.REFUSING
    assert after.loads[-1].demand < 1.25 * before.loads[-1].demand
    assert after.loads[-1].each < 1.25 * after.loads[0].each


def test_there_is_room_for_one_however_slow_the_machine_is() -> None:
    sessions = Sessions()
    sessions.go_on(60, 1, slow=1000.0)
    assert sessions.limit == 1
    assert sessions.loads[-1].places == 0
    sessions.go_on(120, 0)
    assert sessions.loads[-1].places == 1
    assert sessions.loads[-1].rung is Rung.NORMAL


def test_who_says_nothing_takes_no_room_and_does_not_change_what_a_session_is_expected_to_cost() -> None:
    sessions, alone = Sessions(), Sessions()
    alone.go_on(60, 12)
    sessions.go_on(60, 12, idle=3000)
    assert sessions.loads[-1].room == pytest.approx(alone.loads[-1].room)
    assert sessions.loads[-1].each == pytest.approx(alone.loads[-1].each)


def test_who_falls_silent_gives_its_room_back() -> None:
    sessions = Sessions()
    sessions.go_on(60, 12)
    assert sessions.loads[-1].room < 0.4
    sessions.go_on(TALKING + 1, 0, idle=12)
    assert sessions.loads[-1].room == 0.85


def test_newcomers_take_room_before_they_have_asked_for_anything() -> None:
    sessions = Sessions()
    sessions.go_on(0.5, 0)
    free = sessions.loads[-1].places
    for index in range(free):
        sessions.planner.company.opened(f"new {index}", sessions.now)
    assert sessions.planner.look(sessions.now, sessions=free, lateness=0.0).rung is Rung.REFUSING


def test_low_priority_does_not_lose_and_gain_its_partials_from_look_to_look() -> None:
    planner, job = Planner(0.85), Job("s", 0, Kind.PARTIAL, STREAM, 0.0, audio=2.5, priority=Priority.LOW)
    promised = 4 * planner.costs.of(Kind.PARTIAL, 2.5) / MEMORY  # what a quarter of the partials takes of the engine
    rungs, now = [], 0.0
    for asked in [1.1, *[0.97, 1.02] * 20, 0.8]:
        planner.demand.left("s")
        for _ in range(round(asked * 0.85 * 16 / promised)):
            planner.asked(job, now)
        planner.look(now, sessions=1, lateness=0.0)
        rungs.append(planner.plan.rung)
    assert rungs == [Rung.FINALS_ONLY_LOW] * 41 + [Rung.STRETCHED]


def test_who_is_refused_is_told_about_how_soon_somebody_leaves() -> None:
    sessions = Sessions()
    for _ in range(20):
        sessions.go_on(9, 10)
        sessions.planner.company.left("9")
        sessions.go_on(1, 9)  # one leaves every ten seconds
    assert sessions.loads[-1].retry_after == pytest.approx(10, rel=0.3)


def test_the_cadence_is_what_sessions_ask_times_the_stretch() -> None:
    sessions = Sessions()
    assert sessions.planner.cadence[Priority.NORMAL] == pytest.approx(0.3)
    sessions.go_on(60, 18)
    assert 0.45 < sessions.planner.cadence[Priority.NORMAL] < 0.75


@given(st.integers(1, 18))
def test_sessions_that_all_end_at_once_give_their_room_back_as_their_finals_come(count: int) -> None:
    sessions = Sessions()
    sessions.go_on(60, count)
    planner, before = sessions.planner, sessions.loads[-1]
    finals = [Job(str(index), 1, Kind.FINAL, STREAM, sessions.now, audio=5.0) for index in range(count)]
    for job in finals:
        planner.ending(job.session_id)
        planner.asked(job, sessions.now)
    for done, job in enumerate(finals, 1):
        planner.decoded(job, 0.06)
        planner.left(job.session_id)
        load = planner.look(sessions.now + 0.06 * done, sessions=count - done, lateness=min(0.06 * done, 0.99))
        assert load.rung < Rung.REFUSING
        assert load.places >= before.places + done - 2  # the estimate of one moves a little


asks = st.tuples(st.sampled_from("abcd"), st.sampled_from(Kind), st.booleans(), st.floats(0.001, 0.1), st.floats(0, 2))


@given(st.lists(asks, max_size=40), st.sets(st.sampled_from("abcd")), st.booleans())
def test_who_left_asks_nothing_any_more(asked: list[tuple[str, Kind, bool, float, float]], gone: set[str], end: bool) -> None:  # noqa: FBT001
    """As if they had never been there, but for what a session usually asks."""
    everybody, others, now = Demand(), Demand(), 0.0
    for session_id, kind, first, cost, pause in asked:
        job = Job(session_id, 0, kind, STREAM, now, first=first, priority=Priority.LOW if session_id == "a" else Priority.NORMAL)
        for demand in (everybody, others) if session_id not in gone else (everybody,):
            demand.asked(job, cost, now)
        now += pause
        everybody.passed(now, 1)
        others.passed(now, 1)
    for session_id in gone:
        if end:
            everybody.ending(session_id)
            everybody.asked(Job(session_id, 1, Kind.FINAL, STREAM, now), 0.5, now)
        else:
            everybody.left(session_id)
    defended, partials = everybody.now
    assert defended == pytest.approx(others.now[0])
    assert partials == pytest.approx(others.now[1])
    assert everybody.total == pytest.approx(others.total)
