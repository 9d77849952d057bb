from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starling.core.audio import samples
from starling.scheduler.pace import TOLERANCE, WINDOW, Pace

CHUNK = 0.1


def sent(pace: Pace, arrivals: list[float]) -> None:
    """Chunks of 0.1 s, each at its time."""
    for index, at in enumerate(arrivals):
        pace.arrived(samples((index + 1) * CHUNK), at)


def ahead(pace: Pace, position: float, now: float) -> float:
    """Seconds that a decode of ``position`` is early."""
    return pace.due(samples(position)) - now


@given(st.lists(st.floats(0, TOLERANCE), min_size=1, max_size=300), st.floats(0, 1000))
def test_a_client_in_real_time_is_never_ahead_whatever_the_network_does(delays: list[float], begun: float) -> None:
    pace = Pace()
    last = 0.0
    for index, delay in enumerate(delays):
        spoken = begun + (index + 1) * CHUNK
        last = max(last, spoken + delay)
        pace.arrived(samples((index + 1) * CHUNK), last)
        assert ahead(pace, (index + 1) * CHUNK, last) <= 1e-4


def test_who_sends_all_at_once_is_ahead_by_what_is_not_spoken_yet() -> None:
    pace = Pace()
    sent(pace, [50.0] * 600)
    assert ahead(pace, CHUNK, 50.0) == pytest.approx(-TOLERANCE)
    assert ahead(pace, 60.0, 50.0) == pytest.approx(59.9 - TOLERANCE)
    assert ahead(pace, 60.0, 50.0 + 60.0) < 0


def test_who_goes_on_faster_than_speech_stays_ahead() -> None:
    pace = Pace()
    arrivals = [index * CHUNK / 4 for index in range(4000)]
    sent(pace, arrivals)
    for index in (800, 2000, 3999):
        assert ahead(pace, (index + 1) * CHUNK, arrivals[index]) > 2 * WINDOW - TOLERANCE


def test_who_was_cut_off_and_caught_up_is_in_time_again() -> None:
    pace = Pace()
    cut = range(100, 400)
    arrivals = [40.0 if index in cut else (index + 1) * CHUNK for index in range(800)]
    sent(pace, arrivals)
    assert ahead(pace, 39.0, 40.0) > 0, "thirty seconds at once are more than speech"
    for index in range(400 + round(2 * WINDOW / CHUNK), 800):
        assert ahead(pace, (index + 1) * CHUNK, arrivals[index]) <= 1e-9


def test_who_pauses_does_not_gain_by_it() -> None:
    pace = Pace()
    sent(pace, [(index + 1) * CHUNK for index in range(100)] + [1000.0] * 100)
    assert ahead(pace, 20.0, 1000.0) == pytest.approx(9.9 - TOLERANCE)


def test_it_forgets_what_is_committed_and_keeps_no_more_than_it_must() -> None:
    pace = Pace()
    sent(pace, [3.0 + index * CHUNK / 2 for index in range(100)])
    assert len(pace._origins) == 1
    pace.committed(samples(10.0))
    assert not pace._origins
    assert pace.due(samples(5.0)) == -math.inf
