"""Readers of byte streams that arrive in pieces, written as if the bytes lay in a file.

A *reader* is a generator. It yields what it wants next and is answered with those bytes; between two wants it may write decoded
audio elsewhere. ``Pieces`` runs it: a want that spans several pieces is gathered, a want that fits into one is answered without a
copy. So how the stream was cut cannot matter to a reader: it never learns.

At the end of the stream a want is answered with what there is, perhaps nothing. A reader must return (or raise) on a short
answer.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias

from starling.core.errors import CorruptAudio


@dataclass(frozen=True, slots=True)
class Take:
    """A multiple of ``size`` bytes: at least one, and as many as have arrived up to ``limit`` bytes."""

    size: int
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Skip:
    """Pass over ``size`` bytes without holding them. Answered with nothing; a skip that the stream's end cuts off is no error."""

    size: int


Want: TypeAlias = Take | Skip
Reader: TypeAlias = Generator[Want, memoryview, None]

NOTHING = memoryview(b"")


class Pieces:
    """Runs one reader over a stream that comes in pieces. Holds no more than the size of one ``Take``, less one byte."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._held = bytearray()
        self._want: Want | None = None
        self._to_skip = 0
        self._next(None)

    def feed(self, data: bytes) -> None:
        """Let the reader go as far as ``data`` carries it. Whatever it raises comes through, and ends it.

        A reader that has returned wants no more: data is ignored.
        """
        view = memoryview(data)
        while self._want is not None:
            if isinstance(self._want, Skip):
                step = min(self._to_skip, len(view))
                self._to_skip -= step
                view = view[step:]
                if self._to_skip:
                    return
                self._next(NOTHING)
                continue
            missing = self._want.size - len(self._held)
            if len(view) < missing:
                self._held += view
                return
            if self._held:
                self._held += view[:missing]
                answer, view = memoryview(bytes(self._held)), view[missing:]
                self._held.clear()
            else:
                size = self._want.size
                whole = max(min(len(view), self._want.limit) // size, 1) * size
                answer, view = view[:whole], view[whole:]
            self._next(answer)

    def end(self) -> None:
        """The stream is over. Raises what the reader has to say about an end at this place."""
        while self._want is not None:
            rest = memoryview(bytes(self._held))
            self._held.clear()
            self._next(rest)

    def _next(self, answer: memoryview | None) -> None:
        try:
            self._want = next(self._reader) if answer is None else self._reader.send(answer)
        except StopIteration:
            self._want = None
        if isinstance(self._want, Skip):
            self._to_skip = self._want.size


def exactly(size: int, what: str) -> Generator[Want, memoryview, memoryview]:
    """Exactly ``size`` bytes; CorruptAudio naming ``what`` if the stream ends before."""
    data = yield Take(size)
    if len(data) < size:
        raise CorruptAudio(f"{what}: expected {size} bytes, the stream ended after {len(data)}")
    return data
