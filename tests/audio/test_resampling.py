from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from starling.audio.resample import Resampler

RATES = [8_000, 11_025, 16_001, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000]


def tone(rate: int, seconds: float, hertz: float = 440.0) -> NDArray[np.float32]:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


@given(
    rate=st.sampled_from(RATES),
    count=st.integers(1, 3_000),
    cuts=st.lists(st.integers(0, 3_000), max_size=20),
    seed=st.integers(0, 9),
)
def test_the_output_does_not_depend_on_the_cuts_and_is_as_long_as_the_input(
    rate: int, count: int, cuts: list[int], seed: int
) -> None:
    noise = np.random.default_rng(seed).uniform(-1, 1, count).astype(np.float32)
    whole, cut = Resampler(rate), Resampler(rate)
    expected = np.concatenate([whole.resample(noise), whole.finish()])
    edges = [0, *sorted(min(c, count) for c in cuts), count]
    parts = [cut.resample(noise[a:b]) for a, b in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate([*parts, cut.finish()]), expected)
    assert len(expected) == round(count * 16_000 / rate)


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_comes_out_as_itself_in_time_and_height(rate: int) -> None:
    resampler = Resampler(rate)
    out = np.concatenate([resampler.resample(tone(rate, 1.0)), resampler.finish()])
    error = out / 32_768 - tone(16_000, 1.0)
    assert np.abs(error[200:-200]).max() < 2e-3


@pytest.mark.parametrize("rate", RATES)
def test_less_than_five_milliseconds_are_held_back(rate: int) -> None:
    resampler = Resampler(rate)
    given_out = sum(len(resampler.resample(block)) for block in np.split(tone(rate, 1.0)[: rate // 100 * 100], 100))
    assert given_out >= 16_000 * (rate // 100 * 100) / rate - 0.005 * 16_000


def test_what_16_khz_cannot_carry_is_gone() -> None:
    resampler = Resampler(48_000)
    out = resampler.resample(tone(48_000, 1.0, hertz=11_000))
    assert np.abs(out[200:]).max() < 100
