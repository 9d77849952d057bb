"""The recordings of real speech that come inside the moonshine-voice wheel, as Starling hears them."""

from __future__ import annotations

import functools
import importlib.util
import wave
from pathlib import Path

import numpy as np
import soxr

from starling.core.audio import SAMPLE_RATE, Samples


def recording_path(name: str) -> Path:
    """Where ``name``.wav lies. The package is located, never imported: its import loads native code."""
    spec = importlib.util.find_spec("moonshine_voice")
    assert spec is not None, "the moonshine-voice wheel is a dependency of Starling"
    assert spec.origin is not None
    return Path(spec.origin).parent / "assets" / f"{name}.wav"


@functools.cache
def recording(name: str) -> Samples:
    """``name``.wav at 16 kHz, int16 ``[n]``, read-only.

    ``two_cities`` (44 s), ``beckett`` (10 s) and ``endgame_nagg_nell`` (28 s, two voices) are speech; ``success`` and ``error``
    (1 s) are chimes.
    """
    with wave.open(str(recording_path(name))) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)
        rate = file.getframerate()
    if rate != SAMPLE_RATE:
        samples = soxr.resample(samples, rate, SAMPLE_RATE)
    samples.flags.writeable = False
    return samples
