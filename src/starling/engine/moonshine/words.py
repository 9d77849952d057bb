"""The words of a decode: when each was said, and how sure it is."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from starling.core.audio import Samples
from starling.core.transcript import Word
from starling.engine.moonshine.alignment import rough_spans, word_spans
from starling.engine.moonshine.decoding import Alternatives, Decoded
from starling.engine.moonshine.tokens import Vocabulary, WordTokens

_LEAST: Final = 1e-6


def words_of(vocabulary: Vocabulary, decoded: Decoded, audio: Samples, *, rough: bool = False) -> tuple[Word, ...]:
    """The words of ``decoded`` with positions in ``audio`` (int16 ``[n]``); none without attention.

    ``rough``: pauses belong to words, which is cheaper.

    A word is as sure as its least sure token, punctuation left out. Where alternatives are known a token is as sure as it is
    whatever its case, and whatever punctuation may stand before it: in the middle of speech these are open, and words are not.
    """
    if decoded.attention is None:
        return ()
    words = vocabulary.words(decoded.tokens)
    if decoded.alternatives is None:
        logarithms = decoded.log_probabilities
    else:
        logarithms = _whatever_their_guise(vocabulary, decoded.alternatives)
    tokens = [(word.start, word.end) for word in words]
    spans = rough_spans(decoded.attention, tokens, len(audio)) if rough else word_spans(decoded.attention, tokens, audio)
    return tuple(
        Word(word.text, start, end, _confidence(vocabulary, decoded.tokens, logarithms, word))
        for word, (start, end) in zip(words, spans, strict=True)
    )


def _whatever_their_guise(vocabulary: Vocabulary, alternatives: Alternatives) -> tuple[float, ...]:
    """The logarithm of the probability of each token or one like it, if no punctuation came there."""
    tokens, probabilities = alternatives.tokens, np.exp(alternatives.log_probabilities)
    guises = vocabulary.guises[tokens]
    alike = np.where(guises == guises[:, :1], probabilities, 0).sum(axis=1)
    punctuation = np.where(vocabulary.punctuation[tokens], probabilities, 0).sum(axis=1)
    sure = np.clip(alike / np.maximum(1 - punctuation, _LEAST), _LEAST, 1)
    return tuple(np.log(sure).tolist())


def _confidence(vocabulary: Vocabulary, tokens: tuple[int, ...], logarithms: tuple[float, ...], word: WordTokens) -> float:
    places = range(word.start, word.end)
    spoken = [place for place in places if vocabulary.is_spoken(tokens[place])]
    return math.exp(min(logarithms[place] for place in spoken or places))
