"""What the engine asks of the model's graphs; ``shipped`` and ``rebuilt`` answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from starling.core.audio import SAMPLE_RATE, Samples
from starling.engine.moonshine.decoding import Reader
from starling.engine.moonshine.hearing import Echoes

FRAME = 384
"""Samples to a frame, the step in which the encoder hears (24 ms)."""

TOKENS_PER_SECOND = 6.5
"""Faster speech than this does not occur; a decode that gets there has begun to repeat itself."""

_FULL_SCALE = np.float32(1 / 32768)


@dataclass(frozen=True, slots=True)
class Encoding:
    """One utterance as heard, in ``frames`` frames. ``arrays`` mean something to the graphs that made them only."""

    arrays: Sequence[NDArray[np.float32]]
    frames: int


class Graphs(Protocol):
    """Encoder and decoder. ``batch_size``: how many utterances are worth decoding together without changing their text."""

    @property
    def batch_size(self) -> int: ...

    def hear(self, audio: NDArray[np.float32], echoes: Echoes | None = None) -> Encoding:
        """Encode ``audio``, float32 ``[n]``, -1 to 1, n >= SHORTEST.

        ``echoes``: those of an earlier call, for a beginning of the same audio, to spare work. They change nothing else.
        """

    def begin(self, encodings: Sequence[Encoding], *, capacity: int) -> Reader:
        """Start to write down what was heard, a row for each encoding (at most ``batch_size``), of up to ``capacity`` tokens."""


def as_floats(audio: Samples) -> NDArray[np.float32]:
    """Int16 ``[n]`` as float32 ``[n]``, -1 to 1."""
    return audio.astype(np.float32) * _FULL_SCALE


def token_limit(audio: Samples) -> int:
    """How many tokens int16 ``[n]`` may have."""
    return math.ceil(TOKENS_PER_SECOND * len(audio) / SAMPLE_RATE)
