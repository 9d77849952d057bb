from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from starling.supervisor.options import SupervisorOptions
from starling.supervisor.restarts import Restarts

OPTIONS = SupervisorOptions(workers=1, first_delay=0.25, longest_delay=15.0, healthy_after=5.0)


def test_the_first_failure_is_repaired_at_once_and_a_row_of_them_waits_longer_and_longer() -> None:
    restarts = Restarts(OPTIONS, lambda: 1.0)
    assert [restarts.failed(0.0) for _ in range(9)] == [0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]


def test_a_healthy_time_forgives() -> None:
    restarts = Restarts(OPTIONS, lambda: 1.0)
    for _ in range(5):
        restarts.failed(0.0)
    restarts.ready(10.0)
    assert restarts.failed(15.0) == 0.0
    assert restarts.failures == 1


def test_a_short_life_does_not() -> None:
    restarts = Restarts(OPTIONS, lambda: 1.0)
    restarts.failed(0.0)
    restarts.ready(1.0)
    assert restarts.failed(5.9) == 0.25
    assert restarts.failed(100.0) == 0.5, "it was not ready in between"


def test_who_worked_and_was_ended_by_others_is_back_at_once() -> None:
    restarts = Restarts(OPTIONS, lambda: 1.0)
    for second in range(0, 30, 2):
        restarts.ready(second)
        assert restarts.failed(second + 1.0, own_fault=False) == 0.0
    restarts.ready(40.0)
    assert restarts.failed(40.9, own_fault=False) == 0.25, "it may be the machine that has no room for it"


@given(st.integers(1, 3000), st.floats(0, 1))
def test_delays_are_bounded_and_drawn_from_their_upper_half(failures: int, drawn: float) -> None:
    restarts, longest = Restarts(OPTIONS, lambda: drawn), Restarts(OPTIONS, lambda: 1.0)
    for _ in range(failures):
        delay, most = restarts.failed(0.0), longest.failed(0.0)
        assert most / 2 <= delay <= most <= OPTIONS.longest_delay
