"""Is a confidence of 0.8 right four times in five? Words by their confidence, against how many of them are right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import jiwer
import numpy as np

from bench.scoring import normalised
from starling.core.transcript import Transcript

BINS = 10


@dataclass(frozen=True, slots=True)
class Judged:
    """A recognised word: how sure the engine was, and whether the reference agrees."""

    confidence: float
    right: bool


@dataclass(frozen=True, slots=True)
class Bin:
    """Words of similar confidence: the mean of it, and the share that is right."""

    words: int
    confidence: float
    right: float


def judged(finals: Iterable[Transcript], reference: str, language: str) -> Iterator[Judged]:
    """The words of one recording, wrong where the reference has others or none. A word without a confidence has its segment's."""
    said = [pair for final in finals for pair in _tokens(final, language)]
    expected = normalised(reference, language)
    if not said or not expected:
        return
    right = [False] * len(said)
    for chunk in jiwer.process_words(expected, " ".join(token for token, _ in said)).alignments[0]:
        if chunk.type == "equal":
            right[chunk.hyp_start_idx : chunk.hyp_end_idx] = [True] * (chunk.hyp_end_idx - chunk.hyp_start_idx)
    yield from (Judged(confidence, ok) for (_, confidence), ok in zip(said, right, strict=True) if confidence is not None)


def reliability(words: Sequence[Judged]) -> list[Bin]:
    """Bins of equal width that have words, from unsure to sure."""
    confidence = np.array([word.confidence for word in words])
    right = np.array([word.right for word in words])
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        Bin(int(inside.sum()), float(confidence[inside].mean()), float(right[inside].mean()))
        for number in range(BINS)
        if (inside := place == number).any()
    ]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: the mean distance of confidence and truth, by words (Naeini et al. 2015)."""
    return sum(one.words * abs(one.confidence - one.right) for one in bins) / sum(one.words for one in bins)


def _tokens(final: Transcript, language: str) -> Iterator[tuple[str, float | None]]:
    pairs = [(word.text, word.confidence) for word in final.words] or [(final.text, final.confidence)]
    for text, confidence in pairs:
        yield from ((token, confidence) for token in normalised(text, language).split())
