"""Bytes that several processes share, and the two ways of writing them: data first, then the word that publishes it.

A writer may be killed at any instruction. What it leaves is whole for its readers because they look only at what a *word*
(8 bytes, aligned) has published, and because a word is written by a single store, which x86-64 and AArch64 make visible at once
or not at all. Data must be visible before its word is: x86-64 keeps stores in order, and loads; elsewhere a lock is taken and
given back twice, which orders them on every architecture CPython runs on.
"""

from __future__ import annotations

import mmap
import platform
import struct
import threading
from contextlib import suppress
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

WORD = 8
"""Bytes that are written at once."""

_ORDERED: Final = platform.machine() in {"x86_64", "AMD64"}
_barrier: Final = threading.Lock()


def _order() -> None:
    with _barrier:
        pass
    with _barrier:
        pass


class Memory:
    """``size`` bytes of the file ``fd``, mapped into this process. Everything is written by ``write`` and ``store``."""

    def __init__(self, fd: int, size: int) -> None:
        self._mapping = mmap.mmap(fd, size)
        self._bytes = memoryview(self._mapping)
        self._words = self._bytes.cast("Q")

    def write(self, offset: int, data: Any) -> None:
        """Copy ``data`` (bytes-like) to ``offset``. A writer that is killed leaves any part of it: nobody may look there yet."""
        view = data if type(data) is bytes else memoryview(data).cast("B")
        self._bytes[offset : offset + len(view)] = view

    def store(self, offset: int, word: int) -> None:
        """Publish ``word`` at ``offset``, after all that was written before."""
        if not _ORDERED:
            _order()
        self._words[offset // WORD] = word

    def load(self, offset: int) -> int:
        """The word at ``offset``, before all that is read after."""
        word = self._words[offset // WORD]
        if not _ORDERED:
            _order()
        return word

    def read(self, offset: int, length: int) -> bytes:
        """A copy of ``length`` bytes."""
        return bytes(self._bytes[offset : offset + length])

    def unpack(self, offset: int, layout: struct.Struct) -> tuple[Any, ...]:
        """What ``layout`` finds at ``offset``."""
        return layout.unpack_from(self._bytes, offset)

    def view(self, offset: int, dtype: type[np.generic], count: int) -> NDArray[Any]:
        """``count`` items in place, read-only."""
        array: NDArray[Any] = np.frombuffer(self._bytes, dtype, count, offset)
        array.flags.writeable = False
        return array

    def give_back(self, offset: int, length: int) -> None:
        """Return the whole pages between to the system; they read as zeros from now on."""
        start = -(-offset // mmap.PAGESIZE) * mmap.PAGESIZE
        end = (offset + length) // mmap.PAGESIZE * mmap.PAGESIZE
        if end > start:
            self._mapping.madvise(mmap.MADV_REMOVE, start, end - start)

    def close(self) -> None:
        """Unmap it, at the latest when the last view of it is gone."""
        self._words.release()
        with suppress(BufferError):
            self._bytes.release()
            self._mapping.close()
