"""Real speech that comes inside the moonshine-voice wheel, to compare graphs on."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from starling.core.audio import SAMPLE_RATE, Samples, samples

_NAMES = ("beckett.wav", "two_cities.wav")
_SECONDS = 20
_PIECE = samples(6.0)


def speech(folder: Path) -> Iterator[Samples]:
    """Pieces of up to 6 s, int16 ``[n]``, of the recordings in ``folder``. Raises OSError or wave.Error when one cannot be read.

    Rates that are a multiple of 16 kHz are lowered by averaging: not what an ear would want, but the same for all who listen.
    """
    for name in _NAMES:
        with wave.open(str(folder / name)) as file:
            step = file.getframerate() // SAMPLE_RATE
            content = np.frombuffer(file.readframes(_SECONDS * file.getframerate()), "<i2")
        content = content[: len(content) // step * step].reshape(-1, step).mean(axis=1).astype(np.int16)
        for start in range(0, len(content), _PIECE):
            yield content[start : start + _PIECE]
