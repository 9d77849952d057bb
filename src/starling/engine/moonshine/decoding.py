"""Greedy decoding, with a draft that is verified in one pass.

A partial result re-reads a growing utterance, and most of its text stays as it was. So the decoder first reads the previous text
as a draft, all in one pass, keeps it as far as every token is the one it would have chosen itself, and goes on token by token.
This is speculative decoding (Leviathan, Kalman, Matias 2023, arXiv:2211.17192) with the last answer in place of a draft model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from starling.engine.moonshine.tokens import BEGIN, END

LOOP = 3
"""The shortest phrase, in tokens, that counts as a loop when it is repeated; people do say "no no" and "very very"."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What may come after each token read, best first.

    ``tokens`` int64 ``[rows, n, k]`` and the natural logarithms of their probabilities, float32 of the same shape.
    ``attention``: where in the audio the decoder looked, float32 ``[rows, n, frames]``, or None when nobody asked.
    The arrays may be overwritten by the next read.
    """

    tokens: NDArray[np.int64]
    log_probabilities: NDArray[np.float32]
    attention: NDArray[np.float32] | None = None

    def rows(self, start: int, end: int) -> Choices:
        """Those of some rows."""
        attention = None if self.attention is None else self.attention[start:end]
        return Choices(self.tokens[start:end], self.log_probabilities[start:end], attention)


class Reader(Protocol):
    """The decoder at work on one row of text or several."""

    def read(self, rows: Sequence[Sequence[int]], *, choices: int = 1) -> Choices:
        """Read the next tokens of each row in one pass, and say the best, at most ``choices`` of them, after each.

        Past the end of a shorter row the answer means nothing.
        """

    def rewind(self, row: int, length: int) -> None:
        """Forget all but the first ``length`` tokens of ``row``."""


@dataclass(frozen=True, slots=True)
class Alternatives:
    """The best tokens at each of n places, the chosen one first, and the logarithms of their probabilities.

    Int64 and float32, ``[n, k]``.
    """

    tokens: NDArray[np.int64]
    log_probabilities: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Decoded:
    """What was chosen: ``tokens`` without BEGIN and END, and the natural logarithm of each one's probability.

    ``attention``: float32 ``[n, frames]``, where the decoder looked when it chose each token, END included when it did; or None.
    ``alternatives``: what could have stood in place of each token; or None.
    ``worth``: the mean by which a search compared it with other texts.
    """

    tokens: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    attention: NDArray[np.float32] | None = field(default=None, compare=False)
    alternatives: Alternatives | None = field(default=None, compare=False)
    worth: float = field(default=0.0, compare=False)

    @property
    def confidence(self) -> float | None:
        """The geometric mean of the tokens' probabilities, 0 to 1, or None without tokens."""
        if not self.tokens:
            return None
        return float(np.exp(np.mean(self.log_probabilities)))


SILENT = Decoded((), ())
"""Nothing was said."""


def decode(reader: Reader, *, limits: Sequence[int], drafts: Sequence[Sequence[int]], choices: int = 1) -> list[Decoded]:
    """For each row, the most likely token again and again, until END or its limit of tokens (at least 1).

    ``choices``: how many alternatives at each place the answer has, itself included.

    Drafts (tokens without BEGIN and END, one for each row) change the cost, not the result, as far as the reader's numbers do not
    depend on how many tokens are read in one pass.
    """
    drafts = [draft[: limit - 1] for draft, limit in zip(drafts, limits, strict=True)]
    read = reader.read([(BEGIN, *draft) for draft in drafts], choices=choices)
    rows = []
    for number, (draft, limit) in enumerate(zip(drafts, limits, strict=True)):
        row = _Row(limit)
        row.take(read, number, upto=_accepted(draft, read.tokens[number, :, 0]) + 1)
        if len(row.tokens) <= len(draft):
            reader.rewind(number, len(row.tokens))
        rows.append(row)
    while not all(row.finished for row in rows):
        read = reader.read([(row.tokens[-1],) for row in rows], choices=choices)
        for number, row in enumerate(rows):
            if row.finished:
                reader.rewind(number, len(row.tokens))
            else:
                row.take(read, number, upto=1)
    return [row.decoded() for row in rows]


def without_loop(decoded: Decoded) -> Decoded:
    """``decoded`` with a phrase of LOOP or more tokens that it ends by repeating said only once.

    Audio that stops at the onset of a word makes the model say its last phrase again, often up to the limit; the next partial
    takes it back. Cutting the loop spared 15 % of the words taken back on LJSpeech, and little on noisier sets. It is meant
    for partials: who really repeats a phrase is heard out in the final.
    """
    tokens = decoded.tokens
    for period in range(LOOP, len(tokens) // 2 + 1):
        start = len(tokens) - 2 * period
        if tokens[start : start + period] != tokens[start + period :]:
            continue
        while start > 0 and tokens[start - 1] == tokens[start - 1 + period]:
            start -= 1
        end = start + period
        attention = None if decoded.attention is None else decoded.attention[:end]
        return replace(decoded, tokens=tokens[:end], log_probabilities=decoded.log_probabilities[:end], attention=attention)
    return decoded


class _Row:
    """A row in the making: ``tokens`` chosen so far, END included."""

    __slots__ = ("_attention", "_best", "_limit", "_log_probabilities", "tokens")

    def __init__(self, limit: int) -> None:
        self.tokens: list[int] = []
        self._limit = limit
        self._best: list[NDArray[np.int64]] = []
        self._log_probabilities: list[NDArray[np.float32]] = []
        self._attention: list[NDArray[np.float32]] = []

    @property
    def finished(self) -> bool:
        return self.tokens[-1] == END or len(self.tokens) >= self._limit

    def take(self, choices: Choices, number: int, *, upto: int) -> None:
        """Add the best choices after the first ``upto`` tokens of the last read."""
        best = choices.tokens[number, :upto].copy()
        self.tokens += best[:, 0].tolist()
        self._best.append(best)
        self._log_probabilities.append(choices.log_probabilities[number, :upto].copy())
        if choices.attention is not None:
            self._attention.append(choices.attention[number, :upto].copy())

    def decoded(self) -> Decoded:
        length = len(self.tokens) - (self.tokens[-1] == END)
        best, log_probabilities = np.concatenate(self._best), np.concatenate(self._log_probabilities)
        return Decoded(
            tuple(self.tokens[:length]),
            tuple(log_probabilities[:length, 0].tolist()),
            np.concatenate(self._attention) if self._attention else None,
            Alternatives(best, log_probabilities) if best.shape[1] > 1 else None,
        )


def _accepted(draft: Sequence[int], choices: NDArray[np.int64]) -> int:
    """How many tokens of ``draft`` are the choices after what came before them."""
    for number, (token, choice) in enumerate(zip(draft, choices.tolist(), strict=False)):
        if token != choice:
            return number
    return len(draft)
