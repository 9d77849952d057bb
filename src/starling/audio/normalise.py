"""From any rate and channel count to Starling's one format."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from starling.audio.resample import Resampler
from starling.core.audio import CHANNELS, SAMPLE_RATE, SAMPLE_RATES, Samples
from starling.core.errors import UnsupportedAudio

Pcm: TypeAlias = NDArray[np.int16] | NDArray[np.float32]
"""Decoded audio as its source has it: shape ``[n, channels]``, int16 or float32 within -1 to 1."""

_FULL_SCALE = 32_768


def check_layout(rate: int, channels: int) -> None:
    """Raise UnsupportedAudio unless live audio of this shape is accepted."""
    low, high = SAMPLE_RATES
    if not low <= rate <= high:
        raise UnsupportedAudio(f"sample_rate must be between {low} and {high} Hz, got {rate}")
    fewest, most = CHANNELS
    if not fewest <= channels <= most:
        raise UnsupportedAudio(f"channels must be between {fewest} and {most}, got {channels}")


class Normaliser:
    """Collects decoded audio and gives it back as 16 kHz mono int16.

    Channels are mixed by their mean. 16 kHz mono int16 passes through untouched and, where the source allows it, uncopied.
    """

    def __init__(self) -> None:
        self._resampler: Resampler | None = None
        self._rate = SAMPLE_RATE
        self._ready: list[Samples] = []

    def write(self, pcm: Pcm, rate: int) -> None:
        """Add ``pcm`` at ``rate`` Hz. A rate unlike the last one's starts a new signal."""
        if not len(pcm):
            return
        if rate != self._rate:
            self.finish()
            self._rate = rate
            self._resampler = None if rate == SAMPLE_RATE else Resampler(rate)
        if self._resampler is not None:
            self._ready.append(self._resampler.resample(mix(pcm)))
        elif pcm.dtype == np.int16 and pcm.shape[1] == 1:
            self._ready.append(pcm[:, 0].astype(np.int16, copy=False))
        else:
            self._ready.append(np.rint(mix(pcm) * _FULL_SCALE).clip(-_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16))

    def finish(self) -> None:
        """The signal ends here: make ready what the resampler holds back."""
        if self._resampler is not None:
            self._ready.append(self._resampler.finish())
            self._resampler, self._rate = None, SAMPLE_RATE

    def take(self) -> Samples:
        """What is ready, once. Not writable where it shares memory with its source."""
        ready, self._ready = self._ready, []
        joined = ready[0] if len(ready) == 1 else np.concatenate([np.empty(0, np.int16), *ready])
        return np.require(joined, np.int16, "A")


def mix(pcm: Pcm) -> NDArray[np.float32]:
    """The mean of the channels as float32, shape ``[n]``, clipped to -1 to 1."""
    # Channel after channel, not pcm.mean(axis=1): numpy may sum in another order when n is another, and then bits differ.
    total = pcm[:, 0].astype(np.float32)
    for channel in range(1, pcm.shape[1]):
        total += pcm[:, channel]
    total *= 1 / (pcm.shape[1] * (_FULL_SCALE if pcm.dtype == np.int16 else 1))
    return total.clip(-1, 1)
