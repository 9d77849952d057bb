from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from starling.engine.moonshine.decoding import LOOP, Decoded, decode, without_loop
from starling.engine.moonshine.tokens import BEGIN, END

VOCABULARY = 9


class HashedReader:
    """A decoder whose next token depends on all that it has read, in exact arithmetic. ``passes``: how many tokens each read."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.history: list[int] = []
        self.passes: list[int] = []

    def read(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        self.passes.append(len(tokens))
        rows = []
        for token in tokens:
            self.history.append(token)
            rows.append(np.random.default_rng([self.seed, *self.history]).normal(size=VOCABULARY))
        return np.array(rows, np.float32)

    def rewind(self, length: int) -> None:
        del self.history[length:]


TOKEN = st.integers(0, VOCABULARY - 1).filter(lambda token: token not in {BEGIN, END})


@given(seed=st.integers(0, 500), limit=st.integers(1, 12), draft=st.lists(TOKEN, max_size=15))
def test_any_draft_gives_what_no_draft_gives(seed: int, limit: int, draft: list[int]) -> None:
    assert decode(HashedReader(seed), limit=limit, draft=draft) == decode(HashedReader(seed), limit=limit)


@given(seed=st.integers(0, 500), limit=st.integers(2, 12), wrong=st.lists(TOKEN, max_size=3), data=st.data())
def test_right_tokens_of_a_draft_cost_no_pass_of_their_own(seed: int, limit: int, wrong: list[int], data: st.DataObject) -> None:
    scratch = HashedReader(seed)
    answer = decode(scratch, limit=limit)
    right = data.draw(st.integers(0, min(len(answer.tokens), limit - 1)))
    verified = HashedReader(seed)
    decode(verified, limit=limit, draft=[*answer.tokens[:right], *wrong])
    assert sum(scratch.passes[: right + 1]) == right + 1
    assert len(verified.passes) <= len(scratch.passes) - right
    assert verified.passes[0] <= limit


@given(seed=st.integers(0, 500), limit=st.integers(1, 12))
def test_a_decode_ends_at_its_limit_or_at_the_end(seed: int, limit: int) -> None:
    reader = HashedReader(seed)
    decoded = decode(reader, limit=limit)
    assert END not in decoded.tokens
    assert len(decoded.tokens) == len(decoded.log_probabilities) <= limit
    assert reader.history == [BEGIN, *decoded.tokens][: len(reader.history)]


@given(seed=st.integers(0, 500))
def test_log_probabilities_are_those_of_the_softmax(seed: int) -> None:
    decoded = decode(HashedReader(seed), limit=5)
    reader = HashedReader(seed)
    reader.read([BEGIN])
    reader.rewind(0)
    for row, token, found in zip(reader.read([BEGIN, *decoded.tokens]), decoded.tokens, decoded.log_probabilities, strict=False):
        exact = np.exp(row.astype(np.float64))
        assert found == pytest.approx(math.log(exact[token] / exact.sum()), abs=1e-5)


def test_confidence_is_the_geometric_mean_of_the_probabilities() -> None:
    assert Decoded((3, 4), (math.log(0.9), math.log(0.4))).confidence == pytest.approx(0.6)
    assert Decoded((), ()).confidence is None


@given(
    before=st.lists(st.integers(100, 199), unique=True, max_size=5),
    phrase=st.lists(st.integers(200, 299), unique=True, min_size=LOOP, max_size=8),
    times=st.integers(2, 5),
    data=st.data(),
)
def test_a_loop_is_said_once_wherever_it_was_cut_off(
    before: list[int], phrase: list[int], times: int, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(phrase) - 1))
    tokens = (*before, *phrase * times, *phrase[:cut])
    decoded = without_loop(Decoded(tokens, tuple(map(float, range(len(tokens))))))
    assert decoded.tokens == (*before, *phrase)
    assert decoded.log_probabilities == tuple(map(float, range(len(decoded.tokens))))


@pytest.mark.parametrize(
    "tokens",
    [(), (3,), (3, 3, 3), (3, 4, 3, 4), (5, 6, 7, 5, 6, 7, 8), (5, 6, 7, 8, 6, 7)],
    ids=["empty", "one", "no no no", "no way no way", "went on after it", "not twice in a row"],
)
def test_what_is_no_loop_is_left_alone(tokens: tuple[int, ...]) -> None:
    decoded = Decoded(tokens, tuple(map(float, tokens)))
    assert without_loop(decoded) == decoded
