"""Captions that grow in place on a terminal: provisional rows are rewritten, settled lines scroll away above them.

Plain ECMA-48 sequences (cursor up, erase, dim), so that any terminal of the last thirty years will do. Widths are counted in
cells: a wide character takes two. A terminal that was made narrower has broken the rows already drawn into more; their number
is worked out anew from the present width before each drawing, so nothing is left behind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells

from starling.client.captions import Line

DIM = "\x1b[2m"
PLAIN = "\x1b[0m"
ERASE_TO_END_OF_ROW = "\x1b[K"
ERASE_BELOW = "\x1b[J"

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Size:
    """Of a terminal, in cells."""

    columns: int
    rows: int


class LiveText:
    """The bottom rows of a terminal, kept up to date.

    ``write`` puts text on the terminal and flushes; ``size`` is asked before each drawing. Text from elsewhere cannot move the
    cursor: control characters become spaces.
    """

    def __init__(self, write: Callable[[str], None], size: Callable[[], Size]) -> None:
        self._write = write
        self._size = size
        self._drawn: list[str] = []  # the rows that stand on the terminal below the settled lines

    def show(self, lines: Sequence[Line], *, settled: Sequence[str] = ()) -> None:
        """Print ``settled`` for good, each on a line of its own, then draw ``lines`` as the provisional rows below."""
        size = self._size()
        width = max(2, size.columns - 1)  # the last column stays free: writing it makes terminals differ
        above = [row for text in settled for row in _rows(plain(text), width)]
        below = [row for line in lines for row in _provisional_rows(line, width)][-max(1, size.rows - 1) :]
        out = [self._to_first_row(size.columns)]
        out += [f"{row.ansi}{ERASE_TO_END_OF_ROW}\n" for row in above]
        out.append(f"{ERASE_TO_END_OF_ROW}\n".join(row.ansi for row in below))
        out.append(ERASE_BELOW)
        self._drawn = [row.text for row in below]
        self._write("".join(out))

    def leave(self) -> None:
        """Let what is drawn stand and go on below it."""
        if self._drawn:
            self._drawn = []
            self._write("\n")

    def _to_first_row(self, columns: int) -> str:
        standing = sum(max(1, len(chop_cells(text, max(2, columns)))) for text in self._drawn)
        return f"\r\x1b[{standing - 1}A" if standing > 1 else "\r"


@dataclass(frozen=True, slots=True)
class _Row:
    text: str
    ansi: str


def _rows(text: str, width: int) -> list[_Row]:
    return [_Row(text[start:end], text[start:end]) for start, end in wrap(text, width)]


def _provisional_rows(line: Line, width: int) -> list[_Row]:
    text = plain(line.text)
    rows = []
    for start, end in wrap(text, width):
        turn = min(max(start, line.stable), end)
        tail = f"{DIM}{text[turn:end]}{PLAIN}" if turn < end else ""
        rows.append(_Row(text[start:end], text[start:turn] + tail))
    return rows


def wrap(text: str, width: int) -> list[tuple[int, int]]:
    """Where to cut ``text`` into rows of at most ``width`` cells: ``(start, end)`` of each row, blanks at the cuts left out.

    Rows end between words; a word longer than a row is cut. ``width`` is at least 2, the cells of one wide character.
    """
    rows: list[tuple[int, int]] = []
    for word in _WORD.finditer(text):
        start, end = word.span()
        if rows and cell_len(text[rows[-1][0] : end]) <= width:
            rows[-1] = (rows[-1][0], end)
            continue
        for piece in chop_cells(word[0], width):
            rows.append((start, start + len(piece)))
            start += len(piece)
    return rows


def plain(text: str) -> str:
    """``text`` with blanks for control characters, which could steer a terminal."""
    return _CONTROL.sub(" ", text)
