from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starling.core import errors
from starling.core.audio import FRAME, SAMPLE_RATE, samples, seconds, whole_frames
from starling.core.config import SessionConfig, VadMode
from starling.core.errors import ClientError, InvalidOption, Overloaded, ServerError, StarlingError


@given(st.integers(0, 10**12))
def test_positions_survive_seconds(position: int) -> None:
    assert samples(seconds(position)) == position


def test_a_second_is_the_sample_rate() -> None:
    assert samples(1.0) == SAMPLE_RATE
    assert samples(0.03) == 480


@given(st.integers(1, 10**6))
def test_whole_frames_last_at_least_as_long_and_less_than_one_more(count: int) -> None:
    assert whole_frames(seconds(count * FRAME)) == count * FRAME
    assert whole_frames(seconds(count * FRAME + 1)) == whole_frames(seconds((count + 1) * FRAME)) == (count + 1) * FRAME


@pytest.mark.parametrize("name", ["partial_interval", "endpoint_silence"])
@pytest.mark.parametrize("value", [0.0, 0.099, 10.1, -1.0, float("nan"), float("inf")])
def test_an_option_out_of_range_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(InvalidOption, match=f"{name} must be between 0.1 and 10 seconds"):
        SessionConfig().updated(**{name: value})


def test_changed_options_are_checked_too() -> None:
    config = SessionConfig().updated(vad=VadMode.OFF, endpoint_silence=0.2)
    assert (config.vad, config.endpoint_silence, config.partial_interval) == (VadMode.OFF, 0.2, SessionConfig().partial_interval)
    with pytest.raises(InvalidOption):
        config.updated(endpoint_silence=0.0)


ERRORS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, StarlingError)]


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_stands_in_the_tree_and_can_be_told(kind: type[StarlingError]) -> None:
    assert errors.__doc__ is not None
    assert kind.__name__ in errors.__doc__
    assert 400 <= kind.http_status < 600
    assert 1000 <= kind.close_code < 1016
    assert kind.code == kind.code.lower()
    assert issubclass(kind, ClientError) == (400 <= kind.http_status < 500)


def test_codes_name_one_error_each() -> None:
    own = [kind.code for kind in ERRORS if "code" in vars(kind)]
    assert len(own) == len(set(own))


def test_overload_says_which_gate_and_when_to_come_back() -> None:
    error = Overloaded("full", gate="engine", retry_after=2.0)
    assert (error.message, error.gate, error.retry_after, error.retryable) == ("full", "engine", 2.0, True)
    assert not isinstance(error, ClientError | ServerError)
