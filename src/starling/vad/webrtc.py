"""WebRTC's detector of voiced sound (Gaussian mixtures over six bands, fixed point), on Starling's grid of frames.

It is cheap and misses little, and it takes most noise for speech: it can gate silence and confirm Silero, it cannot replace it.
Its fixed energy thresholds make it deaf to quiet speakers, so it listens at +12 dB. Measured on 34 minutes of read, accented,
noisy and telephone speech from 18 collections, of the frames that Silero takes for speech (p >= .5) aggressiveness 2 does not
confirm 0.84 % as recorded and 1.57 % at -20 dB without that gain, 0.01 % and 0.05 % with it; and it misses none of 437 onsets.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import numpy as np
import webrtcvad

from starling.core.audio import FRAME, SAMPLE_RATE, Frames, samples
from starling.core.ports import Probabilities

AGGRESSIVENESS: Final = 2
GAIN: Final = 4

HOLD: Final = 9
"""Frames (288 ms) for which voiced sound is remembered: stops, fricatives and short pauses within speech do not interrupt it."""

_FRAME_BYTES: Final = FRAME * 2
_PIECE_BYTES: Final = samples(0.01) * 2


class VoicedPieces:
    """Which 10 ms pieces of one listener's audio are voiced.

    ``aggressiveness``: 0 (all that might be) to 3 (surely voiced). ``gain``: the whole factor by which it hears louder.
    """

    def __init__(self, aggressiveness: int, gain: int) -> None:
        self._vad: Any = webrtcvad.Vad(aggressiveness)  # type: ignore[no-untyped-call]  # the wheel has no types
        self._gain = np.int16(gain)
        self._lowest, self._highest = np.int16(-32768 // gain), np.int16(32767 // gain)
        self._rest = b""

    def shares(self, frames: Frames) -> list[float]:
        """Of the three or four pieces that end in each frame, the share that is voiced."""
        pcm = self._rest + (np.minimum(np.maximum(frames, self._lowest), self._highest) * self._gain).tobytes()
        before, at, hears = len(self._rest), 0, self._vad.is_speech
        shares = []
        for end in range(before + _FRAME_BYTES, len(pcm) + 1, _FRAME_BYTES):
            starts = range(at, end - _PIECE_BYTES + 1, _PIECE_BYTES)
            voiced = sum([hears(pcm[start : start + _PIECE_BYTES], SAMPLE_RATE, _PIECE_BYTES // 2) for start in starts])
            shares.append(voiced / len(starts))
            at += len(starts) * _PIECE_BYTES
        self._rest = pcm[at:]
        return shares


class WebRtc:
    """The probability of speech in WebRTC's opinion, for one listener.

    It is the largest share of voiced pieces in the frame and the ``HOLD`` before it.
    """

    def __init__(self) -> None:
        self._pieces = VoicedPieces(AGGRESSIVENESS, GAIN)
        self._recent: deque[float] = deque(maxlen=HOLD + 1)

    def score(self, frames: Frames) -> Probabilities:
        """One probability per frame."""
        scores = np.empty(len(frames), np.float32)
        for i, share in enumerate(self._pieces.shares(frames)):
            self._recent.append(share)
            scores[i] = max(self._recent)
        return scores
