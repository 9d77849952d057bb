from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from starling.core.errors import InvalidOption, Overloaded
from starling.core.ports import StreamOptions
from starling.engine.scripted import ScriptedEngine
from starling.scheduler.batcher import Batcher, BatchOptions, Job, Kind

STREAM = ScriptedEngine().create_stream(StreamOptions())


def job(session_id: str, segment_id: int = 0, kind: Kind = Kind.PARTIAL, submitted: float = 0.0) -> Job:
    return Job(session_id, segment_id, kind, STREAM, submitted)


def final(session_id: str, segment_id: int = 0, submitted: float = 0.0) -> Job:
    return job(session_id, segment_id, Kind.FINAL, submitted)


@dataclass
class Model:
    """The queue as two plain lists. A place is a session's, and the time since when it has been taken."""

    finals: list[Job] = field(default_factory=list)
    places: list[tuple[str, float]] = field(default_factory=list)
    partials: dict[str, Job] = field(default_factory=dict)

    def drop(self, session_id: str) -> Job | None:
        self.places = [(session, since) for session, since in self.places if session != session_id]
        return self.partials.pop(session_id, None)


class Scheduling(RuleBasedStateMachine):
    """The batcher against the model. Time passes in steps of 1/8 s, which floats hold exactly."""

    @initialize(max_batch=st.integers(1, 3), max_wait=st.sampled_from([0.0, 0.25]), max_pending=st.integers(1, 4))
    def begin(self, max_batch: int, max_wait: float, max_pending: int) -> None:
        self.options = BatchOptions(max_batch=max_batch, max_wait=max_wait, max_pending=max_pending, partial_lifetime=1.0)
        self.batcher = Batcher(self.options)
        self.model = Model()
        self.now = 0.0
        self.submitted = 0
        self.accounted = 0  # given back as superseded, cancelled, or taken

    @rule(steps=st.integers(1, 6))
    def wait(self, steps: int) -> None:
        self.now += steps / 8

    @rule(session=st.sampled_from("abcdef"))
    def submit_partial(self, session: str) -> None:
        new = job(session, self.submitted, Kind.PARTIAL, self.now)
        if session not in self.model.partials and len(self.model.partials) >= self.options.max_pending:
            with pytest.raises(Overloaded) as refused:
                self.batcher.submit(new)
            assert (refused.value.gate, refused.value.retry_after > 0) == ("engine", True)
            return
        older = self.batcher.submit(new)
        self.submitted += 1
        assert older is self.model.partials.get(session)
        self.accounted += older is not None
        if older is None:
            self.model.places.append((session, self.now))
        self.model.partials[session] = new

    @rule(session=st.sampled_from("abcdef"))
    def submit_final(self, session: str) -> None:
        new = final(session, self.submitted, self.now)
        self.submitted += 1
        older = self.batcher.submit(new)
        assert older is self.model.drop(session)
        self.accounted += older is not None
        self.model.finals.append(new)

    @rule(session=st.sampled_from("abcdef"))
    def cancel(self, session: str) -> None:
        before = len(self.batcher)
        self.batcher.cancel(session)
        self.model.drop(session)
        self.model.finals = [waiting for waiting in self.model.finals if waiting.session_id != session]
        self.accounted += before - len(self.batcher)

    @rule()
    def take(self) -> None:
        due = self.batcher.due(self.now)
        batch = self.batcher.take(self.now)
        self.accounted += len(batch.jobs) + len(batch.expired)
        assert len(batch.jobs) <= self.options.max_batch
        assert bool(batch.jobs or batch.expired) or due != 0.0, "due, and nothing came of it"
        if self.model.finals:
            assert batch.jobs == tuple(self.model.finals[:1])
            assert not batch.expired
            del self.model.finals[:1]
            return
        ripe = bool(self.model.places) and (
            len(self.model.places) >= self.options.max_batch or self.now - self.model.places[0][1] >= self.options.max_wait
        )
        waiting = [self.model.partials[session] for session, _ in self.model.places]
        expired = [partial for partial in waiting if self.now - partial.submitted > self.options.partial_lifetime]
        fresh = [partial for partial in waiting if partial not in expired][: self.options.max_batch] if ripe else []
        assert batch.jobs == tuple(fresh)
        assert set(batch.expired) <= set(expired)
        if len(fresh) < self.options.max_batch:
            assert batch.expired == tuple(expired)
        for taken in (*batch.jobs, *batch.expired):
            self.model.drop(taken.session_id)

    @precondition(lambda self: not self.model.finals)
    @rule()
    def take_when_due(self) -> None:
        due = self.batcher.due(self.now)
        if due is None:
            assert not self.model.places
            return
        self.now += due
        assert self.batcher.due(self.now) == 0.0
        self.take()

    @invariant()
    def nothing_is_lost_and_nothing_comes_twice(self) -> None:
        if not hasattr(self, "batcher"):
            return
        assert len(self.batcher) == len(self.model.finals) + len(self.model.partials) == self.submitted - self.accounted
        assert len(self.model.partials) <= self.options.max_pending
        if self.model.finals:
            assert self.batcher.due(self.now) == 0.0


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


def test_a_partial_waits_for_others_only_so_long() -> None:
    batcher = Batcher(BatchOptions(max_batch=2, max_wait=0.25))
    assert batcher.due(0.0) is None
    batcher.submit(job("a", submitted=1.0))
    assert batcher.due(1.0) == 0.25
    assert batcher.take(1.0).jobs == ()
    assert batcher.due(1.25) == 0.0
    batcher.submit(job("b", submitted=1.1))
    assert batcher.due(1.1) == 0.0
    assert [taken.session_id for taken in batcher.take(1.1).jobs] == ["a", "b"]


def test_replacing_a_partial_does_not_make_it_wait_longer() -> None:
    batcher = Batcher(BatchOptions(max_batch=2, max_wait=0.25))
    batcher.submit(job("a", submitted=1.0))
    batcher.submit(job("a", 1, submitted=1.2))
    assert batcher.due(1.25) == 0.0


def test_a_wait_that_floats_make_up_is_none() -> None:
    batcher = Batcher(BatchOptions(max_batch=2, max_wait=0.3))
    batcher.submit(job("a", submitted=0.1))
    assert batcher.due(0.1 + 0.3 - 1e-16) == 0.0


def test_an_old_partial_expires_and_a_final_never_does() -> None:
    batcher = Batcher(BatchOptions(partial_lifetime=2.0))
    old, last = job("a"), final("b")
    batcher.submit(old)
    batcher.submit(last)
    assert batcher.take(1000.0).jobs == (last,)
    batch = batcher.take(1000.0)
    assert (batch.jobs, batch.expired) == ((), (old,))


@pytest.mark.parametrize(
    "wrong", [{"max_batch": 0}, {"max_pending": 0}, {"max_wait": -0.1}, {"max_wait": 2.0, "partial_lifetime": 2.0}]
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidOption, match="expected"):
        BatchOptions(**wrong)  # type: ignore[arg-type]  # a mix of int and float options
