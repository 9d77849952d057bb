"""A decoder for tests of searches: small, cheap, and with an opinion on everything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from starling.engine.moonshine.decoding import Choices
from starling.engine.moonshine.tokens import BEGIN, END

VOCABULARY = 5


class HashedBeam:
    """Rows whose next token depends on all that they have read. ``rows``: how many there were in each pass."""

    def __init__(self, seed: int, *, sharpness: float = 2.0) -> None:
        self.seed = seed
        self.sharpness = sharpness
        self.history: list[list[int]] = [[]]
        self.rows: list[int] = []

    def log_probabilities(self, history: Sequence[int]) -> NDArray[np.float32]:
        logits = self.sharpness * np.random.default_rng([self.seed, *history]).normal(size=VOCABULARY)
        logits[BEGIN] = -30.0
        return np.array(logits - np.log(np.exp(logits).sum()), np.float32)

    def read(self, rows: Sequence[Sequence[int]], *, choices: int = 1) -> Choices:
        assert len(rows) == len(self.history)
        self.rows.append(len(rows))
        for history, row in zip(self.history, rows, strict=True):
            history.extend(row)
        all_rows = np.stack([self.log_probabilities(history) for history in self.history])[:, np.newaxis]
        best = np.argsort(-all_rows, axis=-1, kind="stable")[:, :, :choices]
        return Choices(best, np.take_along_axis(all_rows, best, axis=-1), all_rows)

    def select(self, rows: Sequence[int]) -> None:
        self.history = [list(self.history[row]) for row in rows]

    def mean(self, tokens: Sequence[int], limit: int) -> float:
        """What a whole text is worth."""
        texts = [*tokens, END] if len(tokens) < limit else tokens
        return sum(float(self.log_probabilities([BEGIN, *tokens[:place]])[token]) for place, token in enumerate(texts)) / len(
            texts
        )
