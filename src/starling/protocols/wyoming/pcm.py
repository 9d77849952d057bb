"""The PCM of Wyoming's audio events, of one to four bytes a sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from starling.core.audio import CHANNELS, AudioFormat
from starling.core.errors import CorruptAudio, InvalidMessage, UnsupportedAudio
from starling.protocols.foreign import sample_rate

WIDTHS: Final = (1, 2, 3, 4)
"""Bytes of a sample: signed, the lowest first, as Python's ``audioop`` has them, which Wyoming's own servers convert with."""

FIELDS: Final = ("rate", "width", "channels")


@dataclass(frozen=True, slots=True)
class Pcm:
    """``rate`` in Hz, ``width`` in bytes of one sample."""

    rate: int
    width: int
    channels: int

    @classmethod
    def of(cls, data: Mapping[str, Any], announced: Pcm | None = None) -> Self:
        """What the event with ``data`` says of its audio; for what it leaves out, what was ``announced``.

        Raises InvalidMessage where neither says it, and UnsupportedAudio.
        """
        said = {name: data[name] if data.get(name) is not None else getattr(announced, name, None) for name in FIELDS}
        if None in said.values():
            raise InvalidMessage("expected rate, width and channels of the audio, got not all of them")
        rate, width, channels = (said[name] for name in FIELDS)
        if type(width) is not int or width not in WIDTHS:
            raise UnsupportedAudio("width must be 1 to 4 bytes a sample, got another value")
        if type(channels) is not int or not CHANNELS[0] <= channels <= CHANNELS[1]:
            raise UnsupportedAudio(f"channels must be {CHANNELS[0]} to {CHANNELS[1]}, got another value")
        return cls(sample_rate(rate), width, channels)

    @property
    def fed(self) -> AudioFormat:
        """What ``narrowed`` gives."""
        return AudioFormat(sample_rate=self.rate, channels=self.channels)

    def narrowed(self, audio: bytes) -> bytes:
        """``audio`` with 16 bits a sample. Raises CorruptAudio for half a sample, where it cannot be passed on."""
        if self.width == 2:  # noqa: PLR2004
            return audio
        if len(audio) % self.width:
            raise CorruptAudio(f"expected whole samples of {self.width} bytes in an audio-chunk, got a part of one")
        if self.width == 1:
            return (np.frombuffer(audio, np.int8).astype("<i2") << 8).tobytes()
        return np.frombuffer(audio, np.uint8).reshape(-1, self.width)[:, -2:].tobytes()
