from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starling.core.ports import StreamOptions
from starling.engine.scripted import ScriptedEngine
from starling.scheduler.costs import PRIOR, CostLine, Costs
from starling.scheduler.job import Job, Kind

STREAM = ScriptedEngine().create_stream(StreamOptions())


@given(st.floats(0.001, 0.1), st.floats(0.0001, 0.1), st.integers(0, 9))
def test_it_learns_a_line_through_noise(a: float, b: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    line = CostLine((0.01, 0.01))
    for x in random.uniform(0.5, 12.0, 300):
        line.observe(float(x), (a + b * float(x)) * float(random.uniform(0.8, 1.2)))
    for x in (1.0, 5.0, 10.0):
        assert line.at(x) == pytest.approx(a + b * x, rel=0.35, abs=0.006)


@given(st.lists(st.tuples(st.floats(0.1, 15.0), st.floats(0.0, 3.0)), max_size=60))
def test_a_cost_is_never_negative_nor_less_for_more_sound(observed: list[tuple[float, float]]) -> None:
    line = CostLine(PRIOR[Kind.FINAL])
    for x, y in observed:
        line.observe(x, y)
        assert 0 <= line.at(0.0) <= line.at(1.0) <= line.at(15.0)


def test_one_hiccup_is_no_trend_and_a_slower_machine_is() -> None:
    line = CostLine(PRIOR[Kind.PARTIAL])
    for _ in range(50):
        line.observe(3.0, 0.02)
    before = line.at(3.0)
    line.observe(3.0, 5.0)
    assert line.at(3.0) < 1.1 * before
    for _ in range(100):
        line.observe(3.0, 0.06)
    assert line.at(3.0) == pytest.approx(0.06, rel=0.15)


def test_it_follows_a_machine_that_became_much_slower() -> None:
    line = CostLine(PRIOR[Kind.PARTIAL])
    for _ in range(200):
        line.observe(3.0, 1.0)
    assert line.at(3.0) > 0.8


def test_partials_and_finals_are_learned_apart() -> None:
    costs = Costs()
    expected = costs.of(Kind.PARTIAL, 2.0)
    for _ in range(100):
        costs.decoded(Job("s", 0, Kind.FINAL, STREAM, 0.0, audio=2.0), 0.5)
    assert costs.of(Kind.PARTIAL, 2.0) == expected
    assert costs.of(Kind.FINAL, 2.0) > 0.4
