from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starling.core.errors import ModelUnavailable
from starling.engine.moonshine.tokens import BEGIN, END, Vocabulary, parse_pieces
from starling.engine.moonshine.weights import read_weights, wheel_folder


def serialise(pieces: list[bytes]) -> bytes:
    def length(piece: bytes) -> bytes:
        return bytes([len(piece)]) if len(piece) < 128 else bytes([len(piece) % 128 + 128, len(piece) // 128])

    return b"".join(length(piece) + piece for piece in pieces)


PIECES = st.lists(st.binary(max_size=300), max_size=20)


@given(PIECES)
def test_pieces_survive_the_round_trip(pieces: list[bytes]) -> None:
    assert parse_pieces(serialise(pieces)) == pieces


@given(PIECES.filter(lambda pieces: bool(pieces) and bool(pieces[-1])), st.data())
def test_a_file_that_ends_inside_of_a_piece_is_refused(pieces: list[bytes], data: st.DataObject) -> None:
    whole = serialise(pieces)
    last = len(whole) - len(serialise(pieces[:-1]))
    missing = data.draw(st.integers(1, last - 1))
    with pytest.raises(ModelUnavailable, match=f"inside of piece {len(pieces) - 1}"):
        parse_pieces(whole[:-missing])


@given(st.text().filter(lambda text: "\N{LOWER ONE EIGHTH BLOCK}" not in text))
def test_text_spelt_in_bytes_comes_back(text: str) -> None:
    vocabulary = Vocabulary([bytes([byte]) for byte in range(256)])
    assert vocabulary.text(text.encode()) == text.strip()


def test_a_character_cut_in_two_is_left_out() -> None:
    vocabulary = Vocabulary([b"caf", "é".encode()[:1], "é".encode()[1:]])
    assert vocabulary.text([0, 1, 2]) == "café"
    assert vocabulary.text([0, 1]) == "caf"


def test_markers_are_no_text() -> None:
    vocabulary = Vocabulary([b"<s>", b"<>", b"<", "▁a<b>".encode(), b"<<ST_1>>"])
    assert vocabulary.text([0, 3, 1, 2, 4]) == "a<b><><"


PIECE = st.sampled_from([b"<s>", "▁".encode(), "▁a".encode(), "▁don".encode(), b"'", b"t", b"b", b",", "é".encode()[:1]])


@given(st.lists(PIECE, max_size=12))
def test_words_are_what_stands_between_spaces(pieces: list[bytes]) -> None:
    vocabulary = Vocabulary(pieces)
    words = vocabulary.words(range(len(pieces)))
    assert [word.text for word in words] == vocabulary.text(range(len(pieces))).split()
    assert all(0 <= word.start < word.end <= len(pieces) for word in words)
    assert all(before.end <= after.start for before, after in itertools.pairwise(words))


def test_punctuation_is_not_spoken() -> None:
    vocabulary = Vocabulary([b"<s>", b",", "▁".encode(), "▁'".encode(), "▁7".encode(), "é".encode(), b"s"])
    assert [vocabulary.is_spoken(token) for token in range(7)] == [False, False, False, False, True, True, True]


def merged(pieces: list[bytes], word: str) -> list[int]:
    """The definition of byte-pair encoding: of all neighbours, each time, those whose token is the lowest."""
    parts = ["▁".encode(), *(bytes([byte]) for byte in word.encode())]
    while True:
        pairs = [(pieces.index(a + b), place) for place, (a, b) in enumerate(itertools.pairwise(parts)) if a + b in pieces]
        if not pairs:
            return [pieces.index(part) for part in parts]
        _, place = min(pairs)
        parts[place : place + 2] = [parts[place] + parts[place + 1]]


@given(
    st.permutations([text.encode() for text in ("ab", "ba", "aa", "▁a", "▁ab", "aba", "bab", "abab", "aab", "▁aba", "bb")]),
    st.data(),
)
def test_words_are_encoded_as_by_merging_the_lowest_pair_each_time(merges: list[bytes], data: st.DataObject) -> None:
    pieces = ["▁".encode(), b"a", b"b", *merges]
    vocabulary = Vocabulary(pieces)
    for word in data.draw(st.lists(st.text("ab", min_size=1, max_size=12), max_size=4)):
        assert vocabulary.encode(word) == merged(pieces, word)


class Counted(dict[bytes, int]):
    """Pieces, and how often one was looked up."""

    lookups = 0

    def get(self, key: bytes, default: int = 0) -> int:  # type: ignore[override]  # the one way it is called
        self.lookups += 1
        return super().get(key, default)


def test_encoding_a_word_looks_at_each_new_pair_once_and_a_word_again_at_none() -> None:
    vocabulary = Vocabulary(["▁".encode(), b"a", b"aa", b"aaaa", b"aaaaaaaa"])
    ids = vocabulary.__dict__["_ids"] = Counted(vocabulary._ids)
    assert vocabulary.encode("a" * 96) == [0, *[4] * 12]
    assert ids.lookups <= 3 * 96
    looked_up = ids.lookups
    vocabulary.encode("a" * 96)
    assert ids.lookups == looked_up


@pytest.mark.model
def test_the_shipped_vocabulary() -> None:
    pieces = parse_pieces(read_weights(wheel_folder()).tokenizer)
    assert serialise(pieces) == read_weights(wheel_folder()).tokenizer
    assert (len(pieces), pieces[BEGIN], pieces[END]) == (32_768, b"<s>", b"</s>")
    vocabulary = Vocabulary(pieces)
    words = [pieces.index(piece.encode()) for piece in ("▁best", "▁of", "▁times")]
    assert vocabulary.text([BEGIN, *words, END]) == "best of times"
