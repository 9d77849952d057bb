"""Values of any length that are replaced as a whole: a reader gets the old one or the new one, never a mixture."""

from __future__ import annotations

import struct
import zlib
from typing import Final

from starling.bus.shared.layout import CELL, Area
from starling.bus.shared.memory import WORD, Memory
from starling.core.errors import ServerError

_HEADER: Final = struct.Struct("<IIQ")  # length, checksum, tag
_TRIES: Final = 16

CAPACITY: Final = CELL - _HEADER.size
"""Bytes of a value at most."""


class Cells:
    """A cell per row: two buffers in ``area`` and, in the words from ``versions`` on, a version whose last bit says which counts.

    A writer fills the other buffer, then stores the version. A reader that was overtaken twice while it copied finds a checksum
    that does not fit, and looks again. A value is tagged with the generation it belongs to; those of another are not there.
    """

    def __init__(self, memory: Memory, versions: int, area: Area) -> None:
        self._memory = memory
        self._versions = versions
        self._area = area

    def version(self, row: int) -> int:
        """How often the cell was written."""
        return self._memory.load(self._versions + row * WORD)

    def write(self, row: int, tag: int, value: bytes) -> None:
        """Replace the value. Raises ServerError for one that does not fit."""
        if len(value) > CAPACITY:
            raise ServerError(f"expected at most {CAPACITY} bytes for a cell of shared memory, got {len(value)}")
        version = self.version(row) + 1
        header = _HEADER.pack(len(value), _checksum(value, tag), tag)
        self._memory.write(self._area.at(row) + (version & 1) * CELL, header + value)
        self._memory.store(self._versions + row * WORD, version)

    def read(self, row: int, tag: int) -> bytes | None:
        """The value, or None if there is none of ``tag``."""
        memory, word = self._memory, self._versions + row * WORD
        for _ in range(_TRIES):
            version = memory.load(word)
            at = self._area.at(row) + (version & 1) * CELL
            length, checksum, found = memory.unpack(at, _HEADER)
            if found == tag and length <= CAPACITY:
                value = memory.read(at + _HEADER.size, length)
                if _checksum(value, tag) == checksum:
                    return value
            if memory.load(word) == version:
                return None
        return None


def _checksum(value: bytes, tag: int) -> int:
    return zlib.crc32(value, tag & 0xFFFFFFFF)
