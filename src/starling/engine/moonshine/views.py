"""Joint search: one text that explains several views of the same audio.

The views are the utterance heard more than once, each time otherwise cut out (as it is, with silence around it). The model's
errors at near ties differ between them, so the mean of its log-probabilities at each step is a better judge than either alone: an
ensemble of one model with itself. Averaging inside of the search found more than picking among separate searches did.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from starling.engine.moonshine.beam import BeamReader
from starling.engine.moonshine.decoding import Choices

_SEEN = 4
"""How many times the choices asked for are looked at in each view, to find the best ones on average."""


class JointReader:
    """A BeamReader of ``views`` views: each of its rows is a row of ``reader`` for each view, one view below the other.

    A token that one view puts among its best and another does not counts there as that view's least choice: it can be no better,
    and the best on average are among the best of both but for tokens that one of them holds for nearly impossible. Attention is
    the first view's.
    """

    def __init__(self, reader: BeamReader, *, views: int) -> None:
        self._reader = reader
        self._views = views
        self._rows = 1

    def read(self, rows: Sequence[Sequence[int]], *, choices: int = 1) -> Choices:
        """Read the next tokens of each row in one pass, and say the best ``choices`` after each, on average."""
        self._rows = len(rows)
        seen = self._reader.read([*rows] * self._views, choices=choices * _SEEN)
        by_view = (self._views, self._rows, *seen.tokens.shape[1:])
        tokens, log_probabilities = seen.tokens.reshape(by_view), seen.log_probabilities.reshape(by_view)
        best = np.empty((*by_view[1:3], min(choices, by_view[3])), np.int64)
        means = np.empty(best.shape, np.float32)
        for row, read in np.ndindex(best.shape[:2]):
            best[row, read], means[row, read] = _averaged(tokens[:, row, read], log_probabilities[:, row, read], best.shape[2])
        return Choices(best, means, None if seen.attention is None else seen.attention[: self._rows])

    def select(self, rows: Sequence[int]) -> None:
        """Go on with these rows, in this order; a row may be there several times."""
        self._reader.select([view * self._rows + row for view in range(self._views) for row in rows])


def _averaged(
    tokens: NDArray[np.int64], log_probabilities: NDArray[np.float32], choices: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The best ``choices`` of ``[views, k]``, and their means."""
    every, places = np.unique(tokens, return_inverse=True)
    means = np.zeros(len(every), np.float32)
    for place, log_probability in zip(places.reshape(tokens.shape), log_probabilities, strict=True):
        known = np.full(len(every), log_probability[-1])
        known[place] = log_probability
        means += known
    means /= len(tokens)
    order = np.argsort(-means, kind="stable")[:choices]
    return every[order], means[order]
