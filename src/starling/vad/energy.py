"""A detector without a model: loud is speech. The in-memory twin for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from starling.core.audio import Frames
from starling.core.config import VadMode
from starling.core.errors import ShuttingDown
from starling.core.ports import Probabilities, VadStream
from starling.vad.frames import checked


@dataclass(frozen=True, slots=True, eq=False)
class EnergyStream:
    """Nothing is remembered but whether to listen at all: loudness needs no past."""

    mode: VadMode


class EnergyVad:
    """``Vad`` by the loudness of each frame alone: 0 at or below ``floor``, 1 at or above ``ceiling``, linear in dB between.

    ``floor`` and ``ceiling``: root mean square of a frame in dB relative to full scale.
    """

    def __init__(self, *, floor: float = -60.0, ceiling: float = -40.0) -> None:
        self._floor = floor
        self._ceiling = ceiling
        self._closed = False

    def create_stream(self, mode: VadMode) -> EnergyStream:
        return EnergyStream(mode)

    def score(self, batch: Sequence[tuple[VadStream, Frames]]) -> list[Probabilities]:
        if self._closed:
            raise ShuttingDown("the detector is closed: create a new one")
        return [
            np.ones(len(frames), np.float32) if stream.mode is VadMode.OFF else self._loudness(frames)
            for stream, frames in checked(batch, EnergyStream)
        ]

    def close(self) -> None:
        self._closed = True

    def _loudness(self, frames: Frames) -> Probabilities:
        power = np.square(frames, dtype=np.int64).mean(axis=1) / 32768**2
        decibels = 10 * np.log10(np.maximum(power, 1e-12))
        loudness: Probabilities = np.clip((decibels - self._floor) / (self._ceiling - self._floor), 0, 1).astype(np.float32)
        return loudness
