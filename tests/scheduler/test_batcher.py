from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from starling.core.errors import InvalidOption, Overloaded
from starling.core.load import Priority
from starling.core.ports import StreamOptions
from starling.engine.scripted import ScriptedEngine
from starling.scheduler.batcher import Batcher, BatchOptions
from starling.scheduler.job import Job, Kind

STREAM = ScriptedEngine().create_stream(StreamOptions())


def job(session_id: str, segment_id: int = 0, kind: Kind = Kind.PARTIAL, submitted: float = 0.0) -> Job:
    return Job(session_id, segment_id, kind, STREAM, submitted)


def final(session_id: str, segment_id: int = 0, submitted: float = 0.0, due: float = 0.0) -> Job:
    return replace(job(session_id, segment_id, Kind.FINAL, submitted), due=due)


STRETCHES = st.sampled_from([1.0, 2.0, math.inf])


@dataclass
class Waiting:
    """A job in the model's queue. ``since``: when its place was taken."""

    job: Job
    since: float


class Scheduling(RuleBasedStateMachine):
    """The batcher against a plain list. Time passes in steps of 1/8 s, which floats hold exactly."""

    @initialize(max_batch=st.integers(1, 3), max_pending=st.integers(1, 4))
    def begin(self, max_batch: int, max_pending: int) -> None:
        self.options = BatchOptions(max_batch=max_batch, max_pending=max_pending, partial_lifetime=1.0)
        self.batcher = Batcher(self.options)
        self.queue: list[Waiting] = []
        self.shown: dict[str, float] = {}
        self.turns: list[str] = []
        self.now = 100.0
        self.submitted = 0
        self.accounted = 0  # given back as superseded, cancelled, or taken

    def of(self, kind: Kind) -> list[Waiting]:
        return [waiting for waiting in self.queue if waiting.job.kind is kind]

    def drop(self, jobs: Iterable[Job]) -> None:
        gone = {id(job) for job in jobs}
        self.queue = [waiting for waiting in self.queue if id(waiting.job) not in gone]

    def ready(self, waiting: Waiting) -> float:
        job, stretch = waiting.job, self.batcher.stretch[waiting.job.priority]
        if stretch == 1 or (job.first and stretch < math.inf):
            return waiting.since
        return max(waiting.since, self.shown.get(job.session_id, 0) + stretch * job.interval)

    @rule(steps=st.integers(1, 6))
    def wait(self, steps: int) -> None:
        self.now += steps / 8

    @rule(low=STRETCHES, normal=STRETCHES)
    def stretch(self, low: float, normal: float) -> None:
        self.batcher.stretch = {Priority.HIGH: 1.0, Priority.NORMAL: normal, Priority.LOW: low}

    @rule(session=st.sampled_from("abcdef"), first=st.booleans())
    def submit_partial(self, session: str, *, first: bool) -> None:
        priority = Priority.LOW if session > "c" else Priority.NORMAL
        new = Job(session, self.submitted, Kind.PARTIAL, STREAM, self.now, first=first, interval=0.375, priority=priority)
        older = next((waiting for waiting in self.of(Kind.PARTIAL) if waiting.job.session_id == session), None)
        if older is None and len(self.of(Kind.PARTIAL)) >= self.options.max_pending:
            with pytest.raises(Overloaded) as refused:
                self.batcher.submit(new)
            assert (refused.value.gate, refused.value.retry_after > 0) == ("engine", True)
            return
        self.submitted += 1
        if older is None:
            assert self.batcher.submit(new) is None
            self.queue.append(Waiting(new, self.now))
        else:
            assert self.batcher.submit(new) is older.job
            self.accounted += 1
            older.job = new

    @rule(session=st.sampled_from("abcdef"), ahead=st.sampled_from([-2.0, 0.0, 0.5, 3.0]))
    def submit_final(self, session: str, ahead: float) -> None:
        new = final(session, self.submitted, self.now, due=self.now + ahead)
        self.submitted += 1
        older: list[Job | None] = [waiting.job for waiting in self.of(Kind.PARTIAL) if waiting.job.session_id == session]
        assert [self.batcher.submit(new)] == (older or [None])
        self.accounted += len(older)
        self.drop(job for job in older if job is not None)
        self.queue.append(Waiting(new, self.now))

    @rule(session=st.sampled_from("abcdef"))
    def cancel(self, session: str) -> None:
        before = len(self.batcher)
        self.batcher.cancel(session)
        self.drop([waiting.job for waiting in self.queue if waiting.job.session_id == session])
        self.shown.pop(session, None)
        self.turns = [turn for turn in self.turns if turn != session]
        self.accounted += before - len(self.batcher)

    @rule()
    def take(self) -> None:
        wait = self.batcher.due(self.now)
        batch = self.batcher.take(self.now)
        self.accounted += len(batch.jobs) + len(batch.expired)
        assert bool(batch.jobs or batch.expired) == (wait == 0.0), "due, or not, and nothing came of it"
        heads = {waiting.job.session_id: waiting.job for waiting in reversed(self.of(Kind.FINAL))}
        due = [job for job in heads.values() if job.due <= self.now]
        if due:
            assert (len(batch.jobs), batch.expired) == (1, ())
            assert batch.jobs[0] in due
            assert batch.jobs[0].due == min(job.due for job in due)
        else:
            old = [it.job for it in self.of(Kind.PARTIAL) if self.now - it.job.submitted >= self.options.partial_lifetime]
            assert list(batch.expired) == old
            self.drop(old)
            ready = [waiting for waiting in self.of(Kind.PARTIAL) if self.ready(waiting) <= self.now]
            ready.sort(key=lambda waiting: (not waiting.job.first, self.ready(waiting)))
            if ready:
                assert list(batch.jobs) == [waiting.job for waiting in ready[: self.options.max_batch]]
                self.shown.update({job.session_id: self.now for job in batch.jobs})
            elif heads:
                [job] = batch.jobs
                assert job is heads[job.session_id]
                last = {session: self.turns[::-1].index(session) for session in self.turns}
                assert last.get(job.session_id, 999) == max(last.get(session, 999) for session in heads)
                self.turns.append(job.session_id)
            else:
                assert not batch.jobs
        self.drop(batch.jobs)

    @precondition(lambda self: not self.of(Kind.FINAL))
    @rule()
    def take_when_due(self) -> None:
        due = self.batcher.due(self.now)
        if due is None:
            assert not self.queue
            return
        self.now += due
        assert self.batcher.due(self.now) == 0.0
        self.take()

    @invariant()
    def nothing_is_lost_and_nothing_comes_twice(self) -> None:
        if not hasattr(self, "batcher"):
            return
        assert len(self.batcher) == len(self.queue) == self.submitted - self.accounted
        assert len(self.of(Kind.PARTIAL)) <= self.options.max_pending
        overdue = [self.now - max(waiting.job.due, waiting.job.submitted) for waiting in self.of(Kind.FINAL)]
        assert self.batcher.lateness(self.now) <= max(overdue, default=0.0)


Scheduling.TestCase.settings = settings(max_examples=60, stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow])
TestScheduling = Scheduling.TestCase


def test_finals_go_before_partials_that_waited_longer_and_do_not_share_their_batch() -> None:
    batcher = Batcher(BatchOptions(max_batch=4))
    partial, last = job("a"), final("b")
    batcher.submit(partial)
    batcher.submit(last)
    assert batcher.take(0.1).jobs == (last,)
    assert batcher.take(0.1).jobs == (partial,)


def test_finals_come_one_at_a_time() -> None:
    batcher = Batcher(BatchOptions(max_batch=4))
    finals = [final(name) for name in "abc"]
    for last in finals:
        batcher.submit(last)
    assert [batcher.take(0.1).jobs for _ in finals] == [(last,) for last in finals]


def test_a_newer_partial_takes_the_place_of_the_older() -> None:
    batcher = Batcher(BatchOptions(max_batch=1))
    first, second, newer = job("a", 0), job("b"), job("a", 1, submitted=1.0)
    batcher.submit(first)
    batcher.submit(second)
    assert batcher.submit(newer) is first
    assert [batcher.take(1.0).jobs for _ in range(2)] == [(newer,), (second,)]


def test_the_final_that_is_due_first_goes_first() -> None:
    batcher = Batcher(BatchOptions())
    finals = [final("a", due=3.0), final("b", due=1.0), final("c", due=2.0)]
    for last in finals:
        batcher.submit(last)
    assert [batcher.take(9.0).jobs[0].session_id for _ in finals] == ["b", "c", "a"]


def test_a_session_that_is_far_behind_delays_nobody_who_is_not() -> None:
    batcher = Batcher(BatchOptions())
    for segment in range(100):
        batcher.submit(final("behind", segment, due=float(segment)))
    told = []
    for step in range(6):
        if step == 3:
            batcher.submit(final("live", submitted=100.0 + step, due=100.0 + step))
        [taken] = batcher.take(101.0 + step).jobs
        batcher.served(taken, 1.0)
        told.append((taken.session_id, taken.segment_id))
    assert told == [("behind", 0), ("behind", 1), ("behind", 2), ("live", 0), ("behind", 3), ("behind", 4)]


@given(st.lists(st.tuples(st.floats(0.01, 2.0), st.floats(0.01, 2.0), st.floats(0.01, 2.0)), min_size=1, max_size=30), st.data())
def test_late_sessions_share_the_engine(costs: list[tuple[float, float, float]], data: st.DataObject) -> None:
    batcher = Batcher(BatchOptions())
    for session, dues in zip("abc", data.draw(st.tuples(*[st.floats(0.0, 50.0)] * 3)), strict=True):
        for segment in range(len(costs)):
            batcher.submit(final(session, segment, due=dues))
    served, next_up = dict.fromkeys("abc", 0.0), dict.fromkeys("abc", 0)
    while max(next_up.values()) < len(costs):  # all three wait
        [taken] = batcher.take(100.0).jobs
        session = taken.session_id
        assert taken.segment_id == next_up[session], "its finals in order"
        cost = costs[taken.segment_id]["abc".index(session)]
        batcher.served(taken, cost)
        served[session] += cost
        next_up[session] += 1
        most = [max(column) for column in zip(*costs, strict=True)]
        for (one, its), (other, others) in itertools.combinations(zip("abc", most, strict=True), 2):
            assert abs(served[one] - served[other]) <= its + others + 1e-9


def test_nobody_owes_or_saves_engine_time_for_when_nobody_else_waited() -> None:
    batcher = Batcher(BatchOptions())
    for segment in range(50):
        batcher.submit(final("busy", segment))
        batcher.served(batcher.take(10.0).jobs[0], 1.0)
    for segment in range(3):
        batcher.submit(final("quiet", segment))
        batcher.submit(final("busy", 50 + segment))
    told = []
    for _ in range(6):
        [taken] = batcher.take(20.0).jobs
        batcher.served(taken, 1.0)
        told.append(taken.session_id)
    assert "quiet" in told[:2]
    assert "busy" in told[:3]


def test_nothing_is_kept_of_a_session_that_ends_while_it_is_decoded() -> None:
    batcher = Batcher(BatchOptions())
    batcher.submit(final("a"))
    [taken] = batcher.take(1.0).jobs
    batcher.cancel("a")
    batcher.served(taken, 1.0)
    assert not batcher._shares._marks


def test_finals_of_sessions_ahead_of_their_time_go_last_and_take_turns() -> None:
    batcher = Batcher(BatchOptions(max_batch=1))
    for segment in range(3):
        batcher.submit(final("fast", segment, due=60.0 + segment))
    batcher.submit(final("quick", due=50.0))
    batcher.submit(job("live"))
    batcher.submit(final("late", due=1.0))
    told = [batcher.take(1.5).jobs[0] for _ in range(6)]
    assert [(it.session_id, it.segment_id) for it in told] == [
        ("late", 0), ("live", 0), ("fast", 0), ("quick", 0), ("fast", 1), ("fast", 2),
    ]  # fmt: skip


def test_the_first_words_of_a_segment_go_before_partials_that_waited_longer() -> None:
    batcher = Batcher(BatchOptions(max_batch=1))
    batcher.submit(job("a", submitted=1.0))
    batcher.submit(replace(job("b", submitted=1.2), first=True))
    assert [batcher.take(1.3).jobs[0].session_id for _ in range(2)] == ["b", "a"]


def test_stretched_partials_wait_and_replacing_one_does_not_make_it_wait_longer() -> None:
    batcher = Batcher(BatchOptions(), stretch=dict.fromkeys(Priority, 3.0))
    batcher.submit(job("a"))
    assert len(batcher.take(0.0).jobs) == 1
    for step in range(1, 4):
        batcher.submit(job("a", step, submitted=step * 0.3))
        assert batcher.due(step * 0.3) == pytest.approx(0.9 - step * 0.3)
    assert [taken.segment_id for taken in batcher.take(0.9).jobs] == [3]


def test_a_wait_that_floats_make_up_is_none() -> None:
    batcher = Batcher(BatchOptions(), stretch=dict.fromkeys(Priority, 3.0))
    batcher.submit(job("a", submitted=0.1))
    batcher.take(0.1)
    batcher.submit(job("a", submitted=0.2))
    assert batcher.due(0.1 + 0.9 - 1e-16) == 0.0
    assert batcher.take(0.1 + 0.9 - 1e-16).jobs


def test_an_old_partial_expires_and_a_final_never_does() -> None:
    batcher = Batcher(BatchOptions(partial_lifetime=2.0))
    old, last = job("a"), final("b")
    batcher.submit(old)
    batcher.submit(last)
    assert batcher.take(1000.0).jobs == (last,)
    batch = batcher.take(1000.0)
    assert (batch.jobs, batch.expired) == ((), (old,))


@pytest.mark.parametrize("wrong", [{"max_batch": 0}, {"max_pending": 0}, {"partial_lifetime": 0.0}])
def test_options_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidOption, match="expected"):
        BatchOptions(**wrong)  # type: ignore[arg-type]  # a mix of int and float options
