from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starling.audio.reading import Pieces, Reader, Skip, Take, exactly
from starling.core.errors import CorruptAudio

WANTS = st.lists(
    st.one_of(st.builds(Take, st.integers(1, 9), st.integers(0, 30)), st.builds(Skip, st.integers(0, 12))), max_size=12
)


def test_a_want_is_answered_without_a_copy_when_one_piece_holds_it() -> None:
    answers: list[memoryview] = []

    def reader() -> Reader:
        answers.append((yield Take(2, 100)))
        yield Take(1)

    data = b"abcdefg"
    Pieces(reader()).feed(data)
    assert answers == [b"abcdef"]
    assert answers[0].obj is data


@given(wants=WANTS, data=st.binary(max_size=80), cuts=st.lists(st.integers(0, 80)))
def test_a_reader_sees_the_same_stream_however_it_is_cut(wants: list[Take | Skip], data: bytes, cuts: list[int]) -> None:
    def read(pieces: list[bytes]) -> bytes:
        seen = bytearray()

        def reader() -> Reader:
            for want in wants:
                answer = yield want if isinstance(want, Skip) else Take(want.size)
                seen.extend(bytes(answer) + b"|")

        running = Pieces(reader())
        for piece in pieces:
            running.feed(piece)
        running.end()
        return bytes(seen)

    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    assert read([data[a:b] for a, b in pairwise(edges)]) == read([data])


@given(data=st.binary(max_size=60), size=st.integers(1, 7), limit=st.integers(0, 20))
def test_takes_are_whole_multiples_within_the_limit(data: bytes, size: int, limit: int) -> None:
    answers: list[bytes] = []

    def reader() -> Reader:
        while len(answer := (yield Take(size, limit))) >= size:
            answers.append(bytes(answer))
        answers.append(bytes(answer))

    running = Pieces(reader())
    running.feed(data)
    running.end()
    assert b"".join(answers) == data
    assert all(len(answer) % size == 0 and len(answer) <= max(size, limit) for answer in answers[:-1])
    assert len(answers[-1]) < size


def test_exactly_says_what_was_cut_off() -> None:
    def reader() -> Reader:
        yield from exactly(10, "the header")

    running = Pieces(reader())
    running.feed(b"123")
    with pytest.raises(CorruptAudio, match="the header: expected 10 bytes, the stream ended after 3"):
        running.end()


def test_a_reader_that_has_returned_ignores_the_rest() -> None:
    def reader() -> Reader:
        yield Take(1)

    running = Pieces(reader())
    running.feed(b"abc")
    running.feed(b"def")
    running.end()
