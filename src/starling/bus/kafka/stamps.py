"""What stands before each entry on Kafka: who wrote it, and as which. Pure.

Kafka appends whatever it is sent, so readers decide what counts. Each gateway that takes a session gets an *epoch* for it, higher
than all before, and first of all writes a *mark* of it: what older epochs write behind the mark is nobody's. Within an epoch
records have numbers, so one that was sent twice counts once.

::

    value     epoch, number; then an entry, nothing for a mark
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

_STAMP: Final = struct.Struct("<qq")


def stamped(epoch: int, number: int, entry: bytes) -> bytes:
    """``entry`` as it goes to Kafka. ``number``: of the record in its session, 0 for the one that opens it."""
    return _STAMP.pack(epoch, number) + entry


def mark(epoch: int) -> bytes:
    """From here on nothing of older epochs counts."""
    return _STAMP.pack(epoch, -1)


def unstamped(value: bytes) -> tuple[int, int, bytes]:
    """Epoch, number and entry, which is empty for a mark."""
    epoch, number = _STAMP.unpack_from(value)
    return epoch, number, value[_STAMP.size :]


@dataclass(slots=True)
class Succession:
    """Of one session: the epoch that may write now, and the newest record that counted."""

    epoch: int
    number: int = -1

    def takes(self, epoch: int, number: int) -> bool:
        """Whether what stands next on the log counts as a record."""
        if epoch < self.epoch:
            return False
        self.epoch = epoch
        if number <= self.number:
            return False
        self.number = number
        return True
