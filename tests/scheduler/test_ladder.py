from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from starling.core.load import Priority, Rung
from starling.scheduler.ladder import FARTHEST, RARE, plan, promised

HIGH, NORMAL, LOW = Priority
rates = st.one_of(st.just(0.0), st.floats(0.001, 4.0))
demands = st.fixed_dictionaries({HIGH: rates, NORMAL: rates, LOW: rates})


@given(rates, demands)
def test_what_is_planned_fits(defended: float, partials: dict[Priority, float]) -> None:
    assume(defended < 0.85)
    planned = plan(defended, partials, 0.85)
    spent = sum(partials[priority] / planned.stretch[priority] for priority in Priority)
    rare = sum(partials[priority] / RARE for priority in Priority)
    assert defended + spent <= 0.85 + rare + 1e-6


@given(rates, demands)
def test_the_higher_priority_is_never_stretched_further(defended: float, partials: dict[Priority, float]) -> None:
    planned = plan(defended, partials, 0.85)
    asked = [planned.stretch[priority] for priority in Priority if partials[priority]]
    assert asked == sorted(asked)
    assert all(factor >= 1 for factor in planned.stretch.values())


@given(rates, demands, st.floats(0.1, 1.0))
def test_more_capacity_is_never_worse(defended: float, partials: dict[Priority, float], capacity: float) -> None:
    before, after = plan(defended, partials, capacity), plan(defended, partials, capacity + 0.1)
    assert after.rung <= before.rung
    assert after.beyond <= before.beyond
    assert after.stretch[HIGH] <= before.stretch[HIGH] + 1e-6
    if after.rung is before.rung:  # on another rung, those of low priority take from the others what they had not before
        assert all(after.stretch[priority] <= before.stretch[priority] + 1e-6 for priority in Priority)


@given(rates, demands)
def test_the_rung_says_what_gives_way(defended: float, partials: dict[Priority, float]) -> None:
    planned = plan(defended, partials, 0.85)
    assert (planned.rung is Rung.NORMAL) == all(factor == 1 for factor in planned.stretch.values())
    assert (planned.rung is Rung.FINALS_ONLY_LOW) == math.isinf(planned.stretch[LOW])
    if planned.rung < Rung.FINALS_ONLY_LOW:
        assert all(planned.stretch[priority] <= FARTHEST[priority] + 1e-6 for priority in Priority)
        assert not planned.beyond


@pytest.mark.parametrize(
    ("partials", "stretch", "rung"),
    [
        ({HIGH: 0.2, NORMAL: 0.3, LOW: 0.3}, (1, 1, 1), Rung.NORMAL),
        ({HIGH: 0.2, NORMAL: 0.4, LOW: 0.4}, (1, 1, 2), Rung.STRETCHED),
        ({HIGH: 0.2, NORMAL: 0.75, LOW: 0.4}, (1, 1.5, 4), Rung.STRETCHED),
        ({HIGH: 0.2, NORMAL: 1.2, LOW: 0.4}, (1, 2, math.inf), Rung.FINALS_ONLY_LOW),
        ({HIGH: 0.4, NORMAL: 4.0, LOW: 0.4}, (1, 10, math.inf), Rung.FINALS_ONLY_LOW),
    ],
)
def test_the_steps(partials: dict[Priority, float], stretch: tuple[float, ...], rung: Rung) -> None:
    planned = plan(0.1, partials, 0.9)
    assert tuple(planned.stretch.values()) == pytest.approx(stretch)
    assert planned.rung is rung


def test_a_session_is_promised_half_its_partials() -> None:
    assert promised(0.02, 0.06) == pytest.approx(0.05)
