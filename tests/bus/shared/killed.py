"""A writer that is killed: memory that takes so many writes, and a part of the next one."""

from __future__ import annotations

import os
from typing import Any

from starling.bus.shared.arena import Arena
from starling.bus.shared.memory import Memory


class Killed(BaseException):
    """The process ended here. Not an Exception: nothing in the code under test may survive it."""


class DoomedMemory(Memory):
    """Shared memory as seen by a process that dies at its write number ``writes``, of which it does the share ``part`` (0 to 1).

    A store is done wholly or not at all, as on the machine.
    """

    def __init__(self, fd: int, size: int, writes: int, part: float) -> None:
        super().__init__(fd, size)
        self._left = writes
        self._part = part

    def write(self, offset: int, data: Any) -> None:
        view = memoryview(data).cast("B")
        super().write(offset, view if self._left > 0 else view[: int(self._part * len(view))])
        self._count()

    def store(self, offset: int, word: int) -> None:
        if self._left > 0 or self._part > 0.5:
            super().store(offset, word)
        self._count()

    def give_back(self, offset: int, length: int) -> None:
        super().give_back(offset, int(length if self._left > 0 else self._part * length))
        self._count()

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Killed


def doomed(arena: Arena, writes: int, part: float) -> Arena:
    """``arena`` as a process sees it that will die."""
    return Arena(arena.fd, arena.geometry, DoomedMemory(arena.fd, os.fstat(arena.fd).st_size, writes, part))
