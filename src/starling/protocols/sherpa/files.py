"""Files in a stream of bytes: each begins with its sample rate and its size."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from starling.core.audio import SAMPLE_RATES
from starling.core.errors import InvalidMessage, UnsupportedAudio

HEADER: Final = struct.Struct("<ii")
SAMPLE: Final = 4
"""Bytes of a sample."""


@dataclass(frozen=True, slots=True)
class FileBegins:
    """``rate`` in Hz."""

    rate: int


@dataclass(frozen=True, slots=True)
class FileEnds:
    """The file is complete."""


class FileReader:
    """Finds files, cut anywhere. Raises ClientError for a header that is none; then it is of no use any more."""

    def __init__(self) -> None:
        self._header = b""
        self._left = 0  # bytes of the file that is being read

    @property
    def within(self) -> bool:
        """Whether a file has begun and not ended."""
        return self._left > 0 or bool(self._header)

    def read(self, data: bytes) -> Iterator[FileBegins | FileEnds | bytes]:
        """What ``data`` has: beginnings, audio, ends."""
        while data:
            if self._left:
                piece, data = data[: self._left], data[self._left :]
                self._left -= len(piece)
                yield piece
                if not self._left:
                    yield FileEnds()
                continue
            missing = HEADER.size - len(self._header)
            self._header, data = self._header + data[:missing], data[missing:]
            if len(self._header) == HEADER.size:
                yield self._begin()
                if not self._left:
                    yield FileEnds()

    def _begin(self) -> FileBegins:
        (rate, size), self._header = HEADER.unpack(self._header), b""
        low, high = SAMPLE_RATES
        if not low <= rate <= high:
            raise UnsupportedAudio(f"the sample rate of a file must be between {low} and {high} Hz, got {rate}")
        if size < 0 or size % SAMPLE:
            raise InvalidMessage(f"the size of a file must be a multiple of {SAMPLE} bytes, got {size}")
        self._left = size
        return FileBegins(rate)


def looks_like_a_file(data: bytes) -> bool:
    """Whether ``data``, at least four bytes, begins a file and no bare samples.

    As a float a sample rate would be below 1e-39, which no recording has for its first sample.
    """
    low, high = SAMPLE_RATES
    return low <= int.from_bytes(data[:SAMPLE], "little") <= high
