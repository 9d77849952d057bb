from __future__ import annotations

import numpy as np
import pytest
from bench.noise import Written
from bench.sounds import MADE, babble, made, residues


@pytest.mark.parametrize("name", MADE)
def test_what_is_made_up_is_the_same_every_time_and_as_loud_as_asked(name: str) -> None:
    sound = made(name, seconds=2.5, seed=3, level=-30.0)
    assert sound.dtype == np.int16
    assert len(sound) == 40_000
    np.testing.assert_array_equal(sound, made(name, seconds=2.5, seed=3, level=-30.0))
    if name != "silence":
        assert 20 * np.log10(np.sqrt(np.mean(np.square(sound / 32768)))) == pytest.approx(-30, abs=0.5)


def test_a_crowd_has_every_voice_in_it() -> None:
    voices = [np.full(1000, level, np.int16) for level in (100, -100)]
    crowd = babble(voices, seconds=0.5, seed=0, at_once=3, level=-20.0)
    assert len(crowd) == 8000
    assert len(set(crowd.tolist())) > 1


def test_what_was_added_comes_out_again() -> None:
    speech, noise = np.arange(100, dtype=np.int16), np.arange(100, dtype=np.int16)[::-1]
    [residue] = residues([(speech + noise, speech[:90])])
    np.testing.assert_array_equal(residue, noise[:90])


def test_rates_are_per_minute() -> None:
    total = Written(0.5, 1, 4, 2) + Written(1.5, 0, 0, 1)
    assert (total.per_minute, total.partials) == (2.0, 3)
