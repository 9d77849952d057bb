"""When each word was said, from where in the audio the decoder looked while it wrote.

The cross-attention of some layers follows the audio as the text goes on (known from Whisper: Radford et al. 2022,
arXiv:2212.04356, whose published code takes word times from it). Each frame is given to one token, tokens in order, so that the
sum of log-attention is largest: a path found by dynamic programming (Sakoe, Chiba 1978, doi:10.1109/TASSP.1978.1163055).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from starling.core.audio import SAMPLE_RATE, Samples
from starling.engine.moonshine.graphs import FRAME

OFFSET = round(0.030 * SAMPLE_RATE)
"""The decoder looks so much ahead of what it writes, in samples."""

QUIET = 0.08
"""A word begins and ends where the audio is louder than this share of its loudest moment; else pauses would belong to words."""

PAUSE = 15
"""A word is in one piece: quiet of more moments than this (of 10 ms) is a pause between words."""

_MOMENT = SAMPLE_RATE // 100
_LEAST = 1e-9


def frames_of_tokens(attention: NDArray[np.float32]) -> NDArray[np.int64]:
    """For ``attention`` float32 ``[n, frames]`` with n <= frames, the n + 1 bounds of the tokens' frames, int64, from 0.

    Every token gets at least one frame and every frame a token.
    """
    count, frames = attention.shape
    gains = np.zeros((count, frames + 1))
    np.cumsum(np.log(attention + _LEAST), axis=1, out=gains[:, 1:])
    # The token's frames are those from ``begin`` to ``end``: its gain is a difference of sums, so the best begin before each end
    # is a running maximum of what is begun with there.
    begun = np.full((count, frames + 1), -np.inf)
    best = np.full(frames + 1, -np.inf)
    best[1:] = gains[0, 1:]
    for token in range(1, count):
        np.subtract(best, gains[token], out=begun[token])
        np.maximum.accumulate(begun[token, :-1], out=best[1:])
        best[1:] += gains[token, 1:]
    bounds = np.empty(count + 1, np.int64)
    bounds[count] = frames
    for token in range(count - 1, 0, -1):
        bounds[token] = bounds[token + 1] - 1 - begun[token, bounds[token + 1] - 1 :: -1].argmax()
    bounds[0] = 0
    return bounds


def rough_spans(attention: NDArray[np.float32], words: Iterable[tuple[int, int]], length: int) -> Iterator[tuple[int, int]]:
    """As ``word_spans``, for audio of ``length`` samples, with pauses given to the words around them: quicker, less near."""
    bounds = frames_of_tokens(attention) * FRAME + OFFSET
    bounds[0], bounds[-1] = 0, length
    for first, last in words:
        yield int(bounds[first]), int(bounds[last])


def word_spans(attention: NDArray[np.float32], words: Iterable[tuple[int, int]], audio: Samples) -> Iterator[tuple[int, int]]:
    """Start and end, in samples of ``audio`` (int16 ``[n]``), of words given as ranges of tokens, in order.

    ``attention``: float32 ``[tokens, frames]``, of all frames. Spans do not overlap, are not empty and lie inside of the audio.
    """
    words = list(words)
    for (first, last), (start, end) in zip(words, rough_spans(attention, words, len(audio)), strict=True):
        spoken = _spoken(audio[start:end], _attended(attention[first:last].sum(axis=0), start, end))
        yield start + spoken.start, start + spoken.stop


def _attended(attention: NDArray[np.float32], start: int, end: int) -> NDArray[np.float32]:
    """How much attention, float32 ``[frames]``, each whole moment between the samples ``start`` and ``end`` got."""
    middles = np.arange(start + _MOMENT // 2, end - _MOMENT // 2 + 1, _MOMENT) - OFFSET
    weights: NDArray[np.float32] = attention[np.clip(middles // FRAME, 0, len(attention) - 1)]
    return weights


def _spoken(audio: Samples, attended: NDArray[np.float32]) -> slice:
    """The part of ``audio`` in which the word is: of the runs of loud moments the one that got most attention, to 10 ms.

    The path gives every pause to some word, and often with it the end of the word before.
    """
    moments = audio[: len(attended) * _MOMENT].astype(np.float32).reshape(-1, _MOMENT)
    energy = np.square(moments).mean(axis=1)
    loud = np.flatnonzero(energy > QUIET**2 * energy.max(initial=0.0))
    if not len(loud):
        return slice(0, len(audio))
    runs = np.split(loud, np.flatnonzero(np.diff(loud) > PAUSE) + 1)
    run = max(runs, key=lambda run: float(attended[run].sum()))
    return slice(int(run[0]) * _MOMENT, (int(run[-1]) + 1) * _MOMENT)
