"""From which of a client's bytes a position of its session came, for uncompressed audio. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Final, Self

from starling.core.audio import SAMPLE_RATE, AudioFormat, WaveLayout

REACH: Final = 50
"""A fiftieth of a second before a sample nothing of the input has a part in it any more: resampling filters are shorter."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Of audio with ``frame`` bytes for each moment, at ``rate`` Hz, after a header of ``start`` bytes.

    A resampler that starts at a byte that ``byte`` gave comes to the same samples as one that started at 0, from the position
    on that ``byte`` was asked for: it starts on a moment of both rates, and early enough to have heard all that has a part.
    """

    frame: int
    rate: int
    start: int = 0

    @classmethod
    def of(cls, audio: AudioFormat, wave: WaveLayout | None = None) -> Self | None:
        """That of ``audio``; None where a header must have been read. ``wave``: what it said."""
        if wave is not None:
            return cls(wave.frame, wave.sample_rate, wave.start)
        return None if audio.moment is None else cls(audio.moment, audio.sample_rate)

    def byte(self, position: int) -> int:
        """Where the bytes begin that the samples from ``position`` on need: a little early where there is resampling."""
        if self.rate == SAMPLE_RATE:
            return self.start + position * self.frame
        step = self.rate // gcd(self.rate, SAMPLE_RATE)  # frames between two moments of both rates
        frames = position * self.rate // SAMPLE_RATE - self.rate // REACH
        return self.start + max(0, frames // step * step) * self.frame

    def position(self, byte: int) -> int:
        """The position of the first sample that comes of the bytes from ``byte`` on, which ``byte`` gave."""
        return (byte - self.start) // self.frame * SAMPLE_RATE // self.rate
