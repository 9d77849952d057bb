"""The terminal renderer, watched on a small model of a terminal that reflows when it is resized, as most do."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from starling.client.captions import Line
from starling.client.terminal import DIM, PLAIN, LiveText, Size, wrap

SEQUENCE = re.compile(r"\x1b\[(\d*)([AKJm])|([\s\S])")
TEXT = st.text(st.sampled_from("ab c\u4e2d\u6587 d"), max_size=60)


class Terminal:
    """Enough of one: printing with wide characters, line feeds, cursor up, erasing, dim, and reflow on a resize."""

    def __init__(self, columns: int, rows: int = 1000) -> None:
        self.columns, self.rows = columns, rows
        self.lines: list[tuple[list[tuple[str, bool]], bool]] = [([], False)]  # cells of (character, dim); soft break after?
        self.row = 0
        self.dim = False
        self.column = 0

    def size(self) -> Size:
        return Size(self.columns, self.rows)

    def write(self, text: str) -> None:
        for count, command, character in SEQUENCE.findall(text):
            match command:
                case "A":
                    assert int(count) <= self.row
                    self.row -= int(count)
                case "K":
                    self.lines[self.row] = (self.lines[self.row][0][: self.column], False)
                case "J":
                    self.lines[self.row :] = [(self.lines[self.row][0][: self.column], False)]
                case "m":
                    self.dim = count == "2"
                case _:
                    self._put(character)

    def _put(self, character: str) -> None:
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.row, self.column = self.row + 1, 0
            if self.row == len(self.lines):
                self.lines.append(([], False))
        else:
            assert character.isprintable()
            cells = self.lines[self.row][0]
            width = cell_len(character)
            assert self.column + width < self.columns + 1, "the renderer never lets a row run over"
            cells[self.column : self.column + width] = [(character, self.dim), *[("", self.dim)] * (width - 1)]
            self.column += width

    def resize(self, columns: int) -> None:
        """Join what was broken softly and break it anew; the cursor stays behind the last character, where it always is."""
        joined: list[list[tuple[str, bool]]] = [[]]
        for cells, soft in self.lines:
            joined[-1] += cells
            if not soft:
                joined.append([])
        self.lines = []
        for cells in joined[:-1]:
            pieces: list[list[tuple[str, bool]]] = [[]]
            for at, cell in enumerate(cells):
                wide = cells[at + 1 : at + 2] and cells[at + 1][0] == ""
                if len(pieces[-1]) + (2 if wide else 1) > columns and cell[0]:
                    pieces.append([])
                pieces[-1].append(cell)
            self.lines += [(piece, number < len(pieces)) for number, piece in enumerate(pieces, start=1)]
        self.columns = columns
        self.row, self.column = len(self.lines) - 1, len(self.lines[-1][0])

    @property
    def text(self) -> list[str]:
        return ["".join(character for character, _ in cells) for cells, _ in self.lines]

    @property
    def bright(self) -> str:
        return "".join(character for cells, _ in self.lines for character, dim in cells if not dim)


def provisional(text: str, stable: int = 0) -> Line:
    return Line(segment_id=0, version=0, text=text, stable=stable, settled=False)


def letters(*texts: str) -> str:
    return "".join("".join(text.split()) for text in texts)


def test_a_partial_is_rewritten_in_place_and_its_final_stays() -> None:
    terminal = Terminal(20)
    live = LiveText(terminal.write, terminal.size)
    live.show([provisional("it was the best of times it was")])
    assert terminal.text == ["it was the best of", "times it was"]
    live.show([provisional("it was")])
    assert terminal.text == ["it was"]
    live.show([provisional("it was the worst")], settled=["It was the best of times,"])
    assert terminal.text == ["It was the best of", "times,", "it was the worst"]
    live.show([], settled=["It was the worst."])
    assert terminal.text == ["It was the best of", "times,", "It was the worst.", ""]


def test_the_stable_part_is_brighter_than_the_tail() -> None:
    terminal = Terminal(12)
    LiveText(terminal.write, terminal.size).show([provisional("one two three four", stable=len("one two thr"))])
    assert terminal.text == ["one two", "three four"]
    assert terminal.bright == "one twothr"


def test_a_text_longer_than_the_screen_shows_its_end() -> None:
    terminal = Terminal(6, rows=4)
    LiveText(terminal.write, terminal.size).show([provisional("a1 b22 c333 d444 e555 f666")])
    assert terminal.text == ["d444", "e555", "f666"]


def test_wide_characters_take_two_cells() -> None:
    terminal = Terminal(8)
    LiveText(terminal.write, terminal.size).show([provisional("\u6625\u7720\u4e0d\u89c9\u6653")])
    assert terminal.text == ["\u6625\u7720\u4e0d", "\u89c9\u6653"]


def test_text_cannot_move_the_cursor() -> None:
    written: list[str] = []
    live = LiveText(written.append, lambda: Size(80, 24))
    live.show([provisional("a\x1b[2Jb\rc\x9bd")], settled=["e\x07\nf"])
    plain = re.sub(r"\x1b\[\d*[AKJm]", "", written[0].replace(DIM, "").replace(PLAIN, ""))
    assert plain == "\re  f\na [2Jb c d"


@given(TEXT, st.integers(2, 30))
def test_wrapped_rows_fit_and_lose_nothing(text: str, width: int) -> None:
    rows = wrap(text, width)
    assert all(0 < cell_len(text[start:end]) <= width for start, end in rows)
    assert all(end <= start for (_, end), (start, _) in pairwise(rows))
    assert letters(*(text[start:end] for start, end in rows)) == letters(text)


@given(
    st.integers(3, 30),
    st.lists(
        st.tuples(st.lists(TEXT, max_size=2), st.lists(TEXT, max_size=2), st.integers(0, 60), st.integers(3, 30)), max_size=8
    ),
)
def test_nothing_is_lost_or_left_behind_however_the_terminal_is_resized(
    columns: int,
    updates: list[tuple[list[str], list[str], int, int]],
) -> None:
    terminal = Terminal(columns)
    live = LiveText(terminal.write, terminal.size)
    settled: list[str] = []
    for finals, partials, stable, resized in updates:
        settled += finals
        live.show([provisional(text, min(stable, len(text))) for text in partials], settled=finals)
        assert letters(*terminal.text) == letters(*settled, *partials)
        terminal.resize(resized)
        assert letters(*terminal.text) == letters(*settled, *partials)
