"""The vocabulary of Moonshine, read from ``tokenizer.bin``, and the way from token ids to text."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from starling.core.errors import ModelUnavailable

BEGIN = 1
"""The token every decode begins with."""

END = 2
"""The token that ends an utterance."""

_LONG = 128
_NEVER = sys.maxsize
_REMEMBERED = 16_384
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
        letters = [_letters(piece) for piece in self._pieces]
        first: dict[tuple[bool, str], int] = {}
        self._spoken = [bool(spoken) for spoken in letters]
        begins = [piece.startswith(_SPACE) for piece in self._pieces]
        self.guises: NDArray[np.int64] = np.array(
            [first.setdefault(guise, token) for token, guise in enumerate(zip(begins, letters, strict=True))]
        )
        """For each token, int64 ``[n]``, the first with the same letters and digits, whatever their case, that begins alike."""
        self.punctuation: NDArray[np.bool_] = np.array(
            [bool(piece) and not spoken for piece, spoken in zip(self._pieces, letters, strict=True)]
        )
        """Whether each token, bool ``[n]``, has text, but neither letters nor digits."""

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

    def encode(self, text: str) -> list[int]:
        """The tokens with which the model writes ``text``, words with one space between, inside of a longer text.

        Byte-pair encoding (Sennrich et al. 2016) as SentencePiece does it for Llama: of all neighbours that make a token together
        those merge first whose token has the lowest id. Characters that are no token become their bytes.
        """
        return list(itertools.chain.from_iterable(map(self._encode_word, text.split())))

    @cached_property
    def _encode_word(self) -> Callable[[str], tuple[int, ...]]:
        """``_merge``, which remembers words of late: lists of hot words change by a few, and have words in common."""
        return lru_cache(maxsize=_REMEMBERED)(self._merge)

    def ends_word(self, token: int) -> bool:
        """Whether a word that stands before ``token`` is complete: whether it begins another, or with punctuation, or is END."""
        return self._endings[token]

    def is_within_words(self, token: int) -> bool:
        """Whether ``token`` begins a word or goes on with one, and is not just punctuation."""
        return self._pieces[token].startswith(_SPACE) or not self._endings[token]

    @cached_property
    def _endings(self) -> list[bool]:
        return [piece.startswith(_SPACE) or not _is_within_word(piece) for piece in self._pieces]

    @cached_property
    def _ids(self) -> dict[bytes, int]:
        """Of bytes that are two tokens the second, which is the one for text."""
        return {piece: token for token, piece in enumerate(self._pieces) if piece}

    def _merge(self, word: str) -> tuple[int, ...]:
        """The tokens of ``word`` with the space before it. A merge makes new pairs with its two neighbours only."""
        rank, parts = self._ids.get, [_SPACE]
        for character in word:
            encoded = character.encode()
            parts += [encoded] if encoded in self._ids else [bytes([byte]) for byte in encoded]
        ranks = [rank(left + right, _NEVER) for left, right in itertools.pairwise(parts)]
        while ranks and (token := min(ranks)) != _NEVER:
            place = ranks.index(token)
            parts[place] += parts.pop(place + 1)
            del ranks[place]
            if place:
                ranks[place - 1] = rank(parts[place - 1] + parts[place], _NEVER)
            if place < len(ranks):
                ranks[place] = rank(parts[place] + parts[place + 1], _NEVER)
        return tuple(map(self._ids.__getitem__, parts))

    def is_spoken(self, token: int) -> bool:
        """Whether ``token`` has a letter or digit, and is not just punctuation or space."""
        return self._spoken[token]


@dataclass(frozen=True, slots=True)
class WordTokens:
    """A word, and its tokens: those from ``start`` to before ``end``."""

    text: str
    start: int
    end: int


def _is_within_word(piece: bytes) -> bool:
    """Whether ``piece`` goes on with a word: with a letter or digit, or a part of one."""
    first = piece[:1]
    return first > b"\x7f" or first.isalnum()


def _letters(piece: bytes) -> str:
    return "".join(filter(str.isalnum, piece.decode("utf-8", "ignore"))).casefold()


def _is_special(piece: bytes) -> bool:
    """Whether ``piece`` is a marker like ``<s>`` and not text."""
    return len(piece) > 2 and piece.startswith(b"<") and piece.endswith(b">")  # noqa: PLR2004 - "<>" itself is text
