"""The vocabulary of Moonshine, read from ``tokenizer.bin``, and the way from token ids to text."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from starling.core.errors import ModelUnavailable

BEGIN = 1
"""The token every decode begins with."""

END = 2
"""The token that ends an utterance."""

_LONG = 128
_SPACE = "\N{LOWER ONE EIGHTH BLOCK}".encode()


def parse_pieces(content: bytes) -> list[bytes]:
    """The pieces in ``tokenizer.bin``, by token id.

    Each is a length and that many bytes. A length below 128 is one byte; otherwise it is ``second * 128 + first - 128``.
    A piece may be one byte of a longer UTF-8 sequence. Raises ModelUnavailable when the file ends inside of a piece.
    """
    pieces: list[bytes] = []
    rest = memoryview(content)
    while rest:
        length, rest = rest[0], rest[1:]
        if length >= _LONG:
            length, rest = length - _LONG + _LONG * (rest[0] if rest else _LONG), rest[1:]
        if length > len(rest):
            raise ModelUnavailable(f"expected a whole vocabulary, got one that ends inside of piece {len(pieces)}")
        pieces.append(bytes(rest[:length]))
        rest = rest[length:]
    return pieces


class Vocabulary:
    """Turns tokens into text. ``pieces``: the bytes of each token, by id."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = [b"" if _is_special(piece) else piece for piece in pieces]

    def text(self, tokens: Iterable[int]) -> str:
        """The text of ``tokens``, without special tokens and without space around it.

        A character of which only some bytes are there, as when a decode was cut off at its limit, is left out.
        """
        return b"".join(self._pieces[token] for token in tokens).replace(_SPACE, b" ").decode("utf-8", "ignore").strip()

    def words(self, tokens: Sequence[int]) -> list[WordTokens]:
        """The words of ``text(tokens)``: what stands between spaces."""
        starts = [place for place, token in enumerate(tokens) if place == 0 or self._pieces[token].startswith(_SPACE)]
        words = []
        for start, end in itertools.pairwise([*starts, len(tokens)]):
            text = self.text(tokens[start:end])
            if text:
                words.append(WordTokens(text, start, end))
        return words

    def is_spoken(self, token: int) -> bool:
        """Whether ``token`` has a letter or digit, and is not just punctuation or space."""
        return any(character.isalnum() for character in self._pieces[token].decode("utf-8", "ignore"))


@dataclass(frozen=True, slots=True)
class WordTokens:
    """A word, and its tokens: those from ``start`` to before ``end``."""

    text: str
    start: int
    end: int


def _is_special(piece: bytes) -> bool:
    """Whether ``piece`` is a marker like ``<s>`` and not text."""
    return len(piece) > 2 and piece.startswith(b"<") and piece.endswith(b">")  # noqa: PLR2004 - "<>" itself is text
