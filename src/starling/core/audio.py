"""Audio inside Starling: 16 kHz, one channel, signed 16-bit; every position is an integer sample count.

Positions count samples from the start of a session. Milliseconds and seconds exist only at the edges (wire, logs, options),
so nothing ever drifts by rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Samples per second of all audio past the gateway's normaliser."""

FRAME = 512
"""Samples in one voice-activity frame (32 ms): the grid on which speech starts and ends are decided."""

SAMPLE_RATES = (8_000, 96_000)
"""The lowest and the highest rate that a client may send, in Hz."""

CHANNELS = (1, 8)
"""The fewest and the most channels that a client may send."""

Samples: TypeAlias = NDArray[np.int16]
"""Shape ``[n]``, dtype int16, 16 kHz mono."""

Frames: TypeAlias = NDArray[np.int16]
"""Shape ``[t, 512]``, t >= 1, dtype int16: consecutive voice-activity frames of one listener."""


class Encoding(StrEnum):
    """Audio encodings a client may declare. Containers carry their own rate and channels."""

    PCM_S16LE = "pcm_s16le"
    PCM_F32LE = "pcm_f32le"
    MULAW = "mulaw"
    ALAW = "alaw"
    WEBM_OPUS = "webm_opus"
    OGG_OPUS = "ogg_opus"
    WAV = "wav"
    FLAC = "flac"


SAMPLE_BYTES = {Encoding.PCM_S16LE: 2, Encoding.PCM_F32LE: 4, Encoding.MULAW: 1, Encoding.ALAW: 1}
"""Bytes of one sample, in the encodings that have no header."""


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """How a client encodes what it sends.

    ``sample_rate`` in Hz (8000 to 96000) and ``channels`` (1 to 8, mixed down) describe headerless encodings; a container's own
    header wins over both.
    """

    encoding: Encoding = Encoding.PCM_S16LE
    sample_rate: int = SAMPLE_RATE
    channels: int = 1

    @property
    def moment(self) -> int | None:
        """Bytes of one moment, a sample of each channel; None for a container, which only its reader can tell apart."""
        size = SAMPLE_BYTES.get(self.encoding)
        return None if size is None else size * self.channels


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveLayout:
    """What the header of a RIFF WAVE stream says of the samples after it.

    ``code``: the format code; ``bits`` of a sample; ``size``: bytes of audio, None to the end of the stream; ``start``: bytes
    before the first of them.
    """

    code: int
    bits: int
    channels: int
    sample_rate: int
    size: int | None
    start: int

    @property
    def frame(self) -> int:
        """Bytes of one moment."""
        return self.bits // 8 * self.channels


def seconds(samples: int) -> float:
    """The duration or position of ``samples`` in seconds."""
    return samples / SAMPLE_RATE


def samples(duration: float) -> int:
    """The nearest whole number of samples in ``duration`` seconds."""
    return round(duration * SAMPLE_RATE)


def whole_frames(duration: float) -> int:
    """The samples of the fewest whole frames that last ``duration`` seconds."""
    return math.ceil(round(duration * SAMPLE_RATE / FRAME, 6)) * FRAME  # 0.096 s are three frames, whatever the float says
