"""What the engine asks of the model's graphs; ``shipped`` and ``rebuilt`` answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from starling.core.audio import SAMPLE_RATE, Samples
from starling.engine.moonshine.decoding import Reader
from starling.engine.moonshine.hearing import FULL_SCALE, Echoes

FRAME = 384
"""Samples to a frame, the step in which the encoder hears (24 ms)."""

TOKENS_PER_SECOND = 6.5
"""Faster speech than this does not occur; a decode that gets there has begun to repeat itself."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """One utterance as heard, in ``frames`` frames. ``arrays`` mean something to the graphs that made them only."""

    arrays: Sequence[NDArray[np.float32]]
    frames: int


class Graphs(Protocol):
    """Encoder and decoder. ``batch_size``: how many utterances are worth decoding together without changing their text."""

    @property
    def batch_size(self) -> int: ...

    def hear(self, audio: Samples | NDArray[np.float32], echoes: Echoes | None = None) -> Encoding:
        """Encode ``audio``, int16 ``[n]``, or float32 from -1 to 1, n >= SHORTEST.

        ``echoes``: those of an earlier call, for a beginning of the same audio, to spare work. They change nothing else.
        """

    def begin(self, encodings: Sequence[Encoding], *, capacity: int) -> Reader:
        """Start to write down what was heard, a row for each encoding (at most ``batch_size``), of up to ``capacity`` tokens."""


def as_floats(audio: Samples | NDArray[np.float32]) -> NDArray[np.float32]:
    """Int16 ``[n]`` as float32 ``[n]``, -1 to 1; what is of floats already as it is."""
    if audio.dtype == np.float32:
        return cast("NDArray[np.float32]", audio)
    floats = audio.astype(np.float32)
    floats *= FULL_SCALE
    return floats


def token_limit(audio: Samples) -> int:
    """How many tokens int16 ``[n]`` may have."""
    return math.ceil(TOKENS_PER_SECOND * len(audio) / SAMPLE_RATE)
