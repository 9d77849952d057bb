"""Audio addressed by its position in the session."""

from __future__ import annotations

import numpy as np

from starling.core.audio import Samples


class SampleBuffer:
    """A contiguous stretch of a session's audio, from ``start`` to ``end``; the front is dropped as it is done with.

    The owner bounds it: it holds what was appended and not yet dropped.
    """

    __slots__ = ("_base", "_length", "_store", "start")

    def __init__(self, start: int = 0) -> None:
        self.start = start
        self._base = 0
        self._length = 0
        self._store: Samples = np.empty(16_384, np.int16)

    @property
    def end(self) -> int:
        """The position after the last sample."""
        return self.start + self._length

    def append(self, samples: Samples) -> None:
        """Add ``samples`` at ``end``."""
        need = self._length + len(samples)
        if self._base + need > len(self._store):
            # A new store and never a move inside the old one: slices handed out stay what they were.
            store = np.empty(max(2 * need, 16_384), np.int16)
            store[: self._length] = self._store[self._base : self._base + self._length]
            self._store, self._base = store, 0
        self._store[self._base + self._length : self._base + need] = samples
        self._length = need

    def slice(self, start: int, end: int) -> Samples:
        """The samples from position ``start`` to ``end``, without copying. Raises IndexError outside of the buffer."""
        if not self.start <= start <= end <= self.end:
            raise IndexError(f"expected positions within {self.start} and {self.end}, got {start} to {end}")
        at = self._base + start - self.start
        return self._store[at : at + end - start]

    def drop_before(self, position: int) -> None:
        """Forget what lies before ``position``; past the end, the buffer is empty and goes on there."""
        count = min(position - self.start, self._length)
        if count <= 0 and position <= self.end:
            return
        self._base += count
        self._length -= count
        self.start = position
