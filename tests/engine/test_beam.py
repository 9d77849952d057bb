from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hashed_beam import VOCABULARY, HashedBeam
from starling.engine.moonshine.beam import Search, search, search_together
from starling.engine.moonshine.decoding import Choices, Decoded
from starling.engine.moonshine.tokens import BEGIN, END


def every_text(limit: int) -> Iterator[tuple[int, ...]]:
    others = [token for token in range(VOCABULARY) if token not in {BEGIN, END}]
    for length in range(limit + 1):
        yield from itertools.product(others, repeat=length)


@given(seed=st.integers(0, 500), limit=st.integers(1, 6))
def test_a_beam_of_one_takes_the_most_likely_token_again_and_again(seed: int, limit: int) -> None:
    reader = HashedBeam(seed)
    decoded = search(reader, width=1, limit=limit)
    greedy: list[int] = []
    while len(greedy) < limit:
        token = int(reader.log_probabilities([BEGIN, *greedy]).argmax())
        if token == END:
            break
        greedy.append(token)
    assert decoded.tokens == tuple(greedy)


@given(seed=st.integers(0, 500), limit=st.integers(1, 6), width=st.integers(1, 5))
def test_tokens_come_with_their_own_numbers(seed: int, limit: int, width: int) -> None:
    reader = HashedBeam(seed)
    decoded = search(reader, width=width, limit=limit)
    assert len(decoded.tokens) == len(decoded.log_probabilities) <= limit
    assert END not in decoded.tokens
    assert decoded.attention is not None
    assert len(decoded.attention) == min(limit, len(decoded.tokens) + 1)
    for place, row in enumerate(decoded.attention):
        assert np.array_equal(row, reader.log_probabilities([BEGIN, *decoded.tokens[:place]]))
        if place < len(decoded.tokens):
            assert decoded.log_probabilities[place] == row[decoded.tokens[place]]


def test_a_wide_beam_nearly_always_finds_the_best_text() -> None:
    limit, found = 3, 0
    for seed in range(50):
        reader = HashedBeam(seed)
        best = max(every_text(limit), key=lambda text: reader.mean(text, limit))
        found += search(reader, width=8, limit=limit).tokens == best
    assert found >= 40


def test_a_beam_finds_better_texts_than_greed() -> None:
    def worth(width: int) -> float:
        readers = [HashedBeam(seed) for seed in range(100)]
        return float(np.mean([reader.mean(search(reader, width=width, limit=6).tokens, 6) for reader in readers]))

    assert worth(1) < worth(4)


@given(seed=st.integers(0, 500), width=st.integers(1, 5))
def test_there_are_never_more_rows_than_the_beam_is_wide(seed: int, width: int) -> None:
    reader = HashedBeam(seed)
    search(reader, width=width, limit=6)
    assert max(reader.rows) <= width
    assert len(reader.rows) <= 6


def test_hypotheses_without_hope_are_given_up() -> None:
    reader = HashedBeam(3, sharpness=20.0)
    search(reader, width=4, limit=6)
    assert reader.rows[-1] < 4


class Sure(HashedBeam):
    """Wants to stop at once, and is sure of it."""

    def log_probabilities(self, history: Sequence[int]) -> NDArray[np.float32]:
        return np.where(np.arange(VOCABULARY) == END, -1e-6, -20.0).astype(np.float32)


@pytest.mark.parametrize("width", [1, 4])
def test_nothing_said_is_no_tokens(width: int) -> None:
    reader = Sure(0)
    assert search(reader, width=width, limit=6) == Decoded((), ())
    assert reader.rows == [1]


class HashedBeams:
    """Readers of several utterances as one, with equally many rows for each. ``rows``: how many there were in each pass."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self.readers = [HashedBeam(seed) for seed in seeds]
        self.rows: list[int] = []

    def read(self, rows: Sequence[Sequence[int]], *, choices: int = 1) -> Choices:
        share = len(rows) // len(self.readers)
        assert share * len(self.readers) == len(rows)
        self.rows.append(share)
        parts = [reader.read(rows[at * share : (at + 1) * share], choices=choices) for at, reader in enumerate(self.readers)]
        return Choices(
            np.concatenate([part.tokens for part in parts]),
            np.concatenate([part.log_probabilities for part in parts]),
            np.concatenate([part.attention for part in parts if part.attention is not None]),
        )

    def select(self, rows: Sequence[int]) -> None:
        share = len(rows) // len(self.readers)
        for number, reader in enumerate(self.readers):
            before = len(reader.history)
            reader.select([row - number * before for row in rows[number * share : (number + 1) * share]])

    def drop(self, utterances: Sequence[int]) -> list[int]:
        order = [place for place in range(len(self.readers)) if place not in utterances][::-1]
        self.readers = [self.readers[place] for place in order]
        return order


@given(seeds=st.lists(st.integers(0, 500), min_size=1, max_size=6), width=st.integers(1, 4), data=st.data())
def test_searches_find_together_what_each_finds_alone(seeds: list[int], width: int, data: st.DataObject) -> None:
    limits = [data.draw(st.integers(1, 7)) for _ in seeds]
    reader = HashedBeams(seeds)
    found = search_together(reader, [Search(width=width, limit=limit) for limit in limits])
    assert found == [search(HashedBeam(seed), width=width, limit=limit) for seed, limit in zip(seeds, limits, strict=True)]
    assert set(reader.rows[1:]) <= {1} if width == 1 else min(reader.rows[1:], default=2) >= 2
