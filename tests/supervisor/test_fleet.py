from __future__ import annotations

from copy import deepcopy

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from starling.supervisor.deaths import Cause
from starling.supervisor.fleet import Fleet, Member, Phase
from starling.supervisor.launch import Role
from starling.supervisor.options import SupervisorOptions

OPTIONS = SupervisorOptions(workers=2)


def fleet() -> Fleet:
    return Fleet(OPTIONS, lambda: 1.0)


def started(it: Fleet, now: float = 0.0) -> list[Member]:
    members = it.due(now)
    for member in members:
        it.settled(member, now)
    return members


def test_every_seat_is_taken_at_once_and_only_once() -> None:
    it = fleet()
    assert [member.name for member in it.due(0.0)] == ["gateway", "worker-0", "worker-1"]
    assert it.due(100.0) == []


def test_nobody_takes_sessions_before_it_is_ready_or_once_it_is_condemned() -> None:
    it = fleet()
    _, one, two = it.due(0.0)
    assert it.takers() == []
    it.settled(one, 1.0)
    it.settled(two, 1.0)
    assert it.takers() == [0, 1]
    it.condemn(one, Cause.HANG)
    assert it.takers() == [1]


def test_a_seat_is_taken_again_when_its_delay_is_over() -> None:
    it = fleet()
    _, one, _ = started(it)
    assert it.reaped(one, Cause.CRASH, 10.0) == 0.0
    [again] = it.due(10.0)
    assert (again.name, again.row) == (one.name, one.row)
    assert it.reaped(again, Cause.CRASH, 10.5) == 0.25
    assert it.due(10.7) == []
    assert len(it.due(10.75)) == 1


def test_workers_are_replaced_one_by_one_and_the_old_goes_when_the_new_is_ready() -> None:
    it = fleet()
    _, one, two = started(it)
    it.replace_workers()
    [first] = it.due(1.0)
    assert first.row not in {one.row, two.row}
    assert it.due(1.0) == [], "one at a time"
    assert set(it.takers()) == {one.row, two.row}
    assert it.settled(first, 2.0) == [one]
    it.condemn(one, Cause.REPLACED)
    assert it.reaped(one, Cause.REPLACED, 2.1) is None
    [second] = it.due(3.0)
    assert it.settled(second, 4.0) == [two]
    it.condemn(two, Cause.REPLACED)
    it.reaped(two, Cause.REPLACED, 4.1)
    assert it.due(5.0) == []
    assert {member.name for member in it.members} == {"gateway", "worker-0", "worker-1"}


def test_a_successor_that_fails_ends_the_reload_and_the_old_ones_stay() -> None:
    it = fleet()
    started(it)
    it.replace_workers()
    [successor] = it.due(1.0)
    assert it.reaped(successor, Cause.EXIT, 2.0) is None
    assert it.due(100.0) == []
    assert it.takers() == [0, 1]


def test_who_dies_while_its_successor_starts_leaves_the_seat_to_it() -> None:
    it = fleet()
    _, one, _ = started(it)
    it.replace_workers()
    [successor] = it.due(1.0)
    assert it.reaped(one, Cause.KILLED, 1.5) is None
    assert it.settled(successor, 2.0) == []
    assert it.due(2.0) != [], "the other worker's turn"


def test_retired_seats_stay_empty() -> None:
    it = fleet()
    gateway, one, two = started(it)
    assert it.retire(Role.GATEWAY) == [gateway]
    it.reaped(gateway, Cause.REPLACED, 1.0)
    assert it.due(100.0) == []
    assert it.retire(Role.WORKER) == [one, two]


class AnyFleet(RuleBasedStateMachine):
    """Whatever happens: rows are never shared, seats have at most two members, and a seat is never empty for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.it = fleet()

    @rule(seconds=st.floats(0.01, 30.0))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.it.due(self.now)

    @precondition(lambda self: any(m.phase is Phase.STARTING for m in self.it.members))
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        member = data.draw(st.sampled_from([m for m in self.it.members if m.phase is Phase.STARTING]))
        for before in self.it.settled(member, self.now):
            self.it.condemn(before, Cause.REPLACED)

    @precondition(lambda self: any(True for _ in self.it.members))
    @rule(data=st.data(), cause=st.sampled_from(Cause))
    def end(self, data: st.DataObject, cause: Cause) -> None:
        member = data.draw(st.sampled_from(list(self.it.members)))
        self.it.reaped(member, member.verdict or cause, self.now)

    @rule()
    def reload(self) -> None:
        self.it.replace_workers()

    @invariant()
    def rows_are_nobody_elses(self) -> None:
        for role in (Role.GATEWAY, Role.WORKER):
            rows = [member.row for member in self.it.members if member.role is role]
            assert len(rows) == len(set(rows))
            assert all(0 <= row < Fleet.rows(OPTIONS) for row in rows)

    @invariant()
    def no_seat_is_given_up(self) -> None:
        later = deepcopy(self.it)
        later.due(self.now + OPTIONS.longest_delay)
        assert {member.name for member in later.members} == {"gateway", "worker-0", "worker-1"}
        assert len(list(self.it.members)) <= 4


TestAnyFleet = AnyFleet.TestCase
TestAnyFleet.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True)
