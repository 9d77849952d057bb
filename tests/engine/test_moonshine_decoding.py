from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from starling.engine.moonshine.decoding import LOOP, Choices, Decoded, decode, without_loop
from starling.engine.moonshine.tokens import BEGIN, END

VOCABULARY = 9


class HashedReader:
    """A decoder whose next token depends on all that its row has read. ``passes``: how many tokens each pass read.

    ``seeds``: one for each row; rows of one seed and history say the same.
    """

    def __init__(self, *seeds: int) -> None:
        self.seeds = seeds
        self.history: list[list[int]] = [[] for _ in seeds]
        self.passes: list[int] = []

    def logits(self, seed: int, history: Sequence[int]) -> NDArray[np.float32]:
        return np.random.default_rng([seed, *history]).normal(size=VOCABULARY).astype(np.float32)

    def read(self, rows: Sequence[Sequence[int]], *, choices: int = 1) -> Choices:
        width = max(map(len, rows))
        self.passes.append(width)
        logits = np.zeros((len(rows), width, VOCABULARY), np.float32)
        for seed, history, row, answers in zip(self.seeds, self.history, rows, logits, strict=True):
            for place, token in enumerate(row):
                history.append(token)
                answers[place] = self.logits(seed, history)
        log_probabilities = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
        best = np.argsort(-logits, axis=-1)[:, :, :choices]
        return Choices(best, np.take_along_axis(log_probabilities, best, axis=-1), logits)

    def rewind(self, row: int, length: int) -> None:
        assert length <= len(self.history[row])
        del self.history[row][length:]


def scratch(seed: int, limit: int) -> Decoded:
    """What one token after the other gives."""
    (decoded,) = decode(HashedReader(seed), limits=[limit], drafts=[()])
    return decoded


TOKEN = st.integers(0, VOCABULARY - 1).filter(lambda token: token not in {BEGIN, END})


ROW = st.tuples(st.integers(0, 500), st.integers(1, 12), st.lists(TOKEN, max_size=15))


@given(st.lists(ROW, min_size=1, max_size=4))
def test_drafts_and_other_rows_change_nothing(rows: list[tuple[int, int, list[int]]]) -> None:
    seeds, limits, drafts = zip(*rows, strict=True)
    together = decode(HashedReader(*seeds), limits=limits, drafts=drafts)
    for decoded, seed, limit in zip(together, seeds, limits, strict=True):
        alone = scratch(seed, limit)
        assert decoded == alone
        assert decoded.attention is not None
        assert alone.attention is not None
        assert np.array_equal(decoded.attention, alone.attention)


@given(seed=st.integers(0, 500), limit=st.integers(2, 12), wrong=st.lists(TOKEN, max_size=3), data=st.data())
def test_right_tokens_of_a_draft_cost_no_pass_of_their_own(seed: int, limit: int, wrong: list[int], data: st.DataObject) -> None:
    plain, verified = HashedReader(seed), HashedReader(seed)
    (answer,) = decode(plain, limits=[limit], drafts=[()])
    right = data.draw(st.integers(0, min(len(answer.tokens), limit - 1)))
    decode(verified, limits=[limit], drafts=[[*answer.tokens[:right], *wrong]])
    assert len(verified.passes) <= len(plain.passes) - right
    assert verified.passes[0] <= limit


@given(st.lists(ROW, min_size=1, max_size=4))
def test_a_decode_ends_at_its_limit_or_at_the_end(rows: list[tuple[int, int, list[int]]]) -> None:
    seeds, limits, drafts = zip(*rows, strict=True)
    reader = HashedReader(*seeds)
    for decoded, limit, history in zip(decode(reader, limits=limits, drafts=drafts), limits, reader.history, strict=True):
        assert END not in decoded.tokens
        assert len(decoded.tokens) == len(decoded.log_probabilities) <= limit
        assert history == [BEGIN, *decoded.tokens][: len(history)]
        assert len(history) <= limit


@given(seed=st.integers(0, 500))
def test_attention_has_a_row_for_each_choice(seed: int) -> None:
    decoded = scratch(seed, 5)
    assert decoded.attention is not None
    reader = HashedReader(seed)
    for place, row in enumerate(decoded.attention):
        assert np.array_equal(row, reader.logits(seed, [BEGIN, *decoded.tokens[:place]]))
    assert len(decoded.attention) - len(decoded.tokens) in {0, 1}


@given(seed=st.integers(0, 500), draft=st.lists(TOKEN, max_size=4))
def test_alternatives_are_the_best_at_each_place_with_the_chosen_first(seed: int, draft: list[int]) -> None:
    (decoded,) = decode(HashedReader(seed), limits=[6], drafts=[draft], choices=3)
    assert decoded.alternatives is not None
    count = len(decoded.tokens)
    assert decoded.alternatives.tokens.shape[1] == 3
    assert tuple(decoded.alternatives.tokens[:count, 0]) == decoded.tokens
    assert tuple(decoded.alternatives.log_probabilities[:count, 0]) == decoded.log_probabilities
    assert (np.diff(decoded.alternatives.log_probabilities, axis=1) <= 0).all()
    assert decoded == decode(HashedReader(seed), limits=[6], drafts=[draft])[0]


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
