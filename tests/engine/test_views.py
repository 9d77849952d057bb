from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hashed_beam import VOCABULARY, HashedBeam
from starling.engine.moonshine.beam import search
from starling.engine.moonshine.decoding import Choices
from starling.engine.moonshine.tokens import BEGIN, END
from starling.engine.moonshine.views import JointReader


class Views:
    """Readers below one another, as one."""

    def __init__(self, *readers: HashedBeam) -> None:
        self.readers = readers

    def read(self, rows: Sequence[Sequence[int]], *, choices: int = 1) -> Choices:
        share = len(rows) // len(self.readers)
        parts = [
            reader.read(rows[number * share : (number + 1) * share], choices=choices)
            for number, reader in enumerate(self.readers)
        ]
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


@given(seed=st.integers(0, 500), width=st.integers(1, 4))
def test_the_same_view_twice_finds_the_same_text(seed: int, width: int) -> None:
    joint = search(JointReader(Views(HashedBeam(seed), HashedBeam(seed)), views=2), width=width, limit=6)
    alone = search(HashedBeam(seed), width=width, limit=6)
    assert joint.tokens == alone.tokens
    assert joint.log_probabilities == pytest.approx(alone.log_probabilities, abs=1e-6)


@given(seed=st.integers(0, 500))
def test_choices_are_the_best_on_average(seed: int) -> None:
    one, other = HashedBeam(seed), HashedBeam(seed + 1000)
    choices = JointReader(Views(one, other), views=2).read([(BEGIN,)], choices=3)
    means = (one.log_probabilities([BEGIN]) + other.log_probabilities([BEGIN])) / 2
    assert choices.tokens[0, 0].tolist() == np.argsort(-means)[:3].tolist()
    assert choices.log_probabilities[0, 0] == pytest.approx(np.sort(means)[::-1][:3], abs=1e-6)


@given(seed=st.integers(0, 500), width=st.integers(1, 4))
def test_attention_is_that_of_the_first_view(seed: int, width: int) -> None:
    first = HashedBeam(seed)
    decoded = search(JointReader(Views(first, HashedBeam(seed + 1000)), views=2), width=width, limit=6)
    assert decoded.attention is not None
    for place, row in enumerate(decoded.attention):
        assert np.array_equal(row, first.log_probabilities([BEGIN, *decoded.tokens[:place]]))


class Sharp(HashedBeam):
    """Holds one token for certain, and shows no more than it was asked for."""

    def __init__(self, token: int) -> None:
        super().__init__(0)
        self.token = token

    def log_probabilities(self, history: Sequence[int]) -> NDArray[np.float32]:
        return np.where(np.arange(VOCABULARY * 40) == self.token, -0.5, -9.0 - np.arange(VOCABULARY * 40) / 10).astype(np.float32)


def test_a_token_that_one_view_does_not_show_counts_as_its_least() -> None:
    choices = JointReader(Views(Sharp(END), Sharp(150)), views=2).read([(BEGIN,)], choices=2)
    found = dict(zip(choices.tokens[0, 0].tolist(), choices.log_probabilities[0, 0].tolist(), strict=True))
    assert found[150] == pytest.approx((-0.5 - 9.7) / 2, abs=0.11)
