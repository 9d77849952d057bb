"""Word errors and flicker: how texts are compared."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import count

import jiwer
import numpy as np
from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishTextNormalizer

BY_CHARACTER = frozenset({"zh", "ja"})
"""Languages whose writing has no blanks between words: scored by characters (CER)."""

_ENGLISH = EnglishTextNormalizer()  # type: ignore[no-untyped-call]
_BASIC = BasicTextNormalizer()


def normalised(text: str, language: str) -> str:
    """``text`` as it is compared: without case and punctuation, English spelling and numbers alike, digits one by one.

    The normalisers are those of Whisper (Radford et al. 2022, appendix C). Digits are parted because "10001" and "one double zero
    zero one" are the same reading of a number; in the languages of ``BY_CHARACTER`` every character is.
    """
    if language == "en":
        return re.sub(r"\d", r" \g<0> ", _ENGLISH(text)).strip()
    plain: str = _BASIC(text)
    return " ".join(plain.replace(" ", "")) if language in BY_CHARACTER else plain


@dataclass(frozen=True, slots=True)
class Errors:
    """Of one utterance: ``wrong`` substitutions, deletions and insertions against ``length`` reference words or characters."""

    wrong: int
    length: int


def errors(reference: str, hypothesis: str, language: str) -> Errors | None:
    """What is wrong with ``hypothesis``; None where the reference says nothing."""
    expected = normalised(reference, language)
    if not expected:
        return None
    found = jiwer.process_words(expected, normalised(hypothesis, language))
    return Errors(found.substitutions + found.deletions + found.insertions, found.hits + found.substitutions + found.deletions)


@dataclass(frozen=True, slots=True)
class Rate:
    """An error rate in percent over ``length`` words; from ``low`` to ``high`` lie 95 % of it under resampled utterances."""

    percent: float
    low: float
    high: float
    utterances: int
    length: int


def rate(counted: Sequence[Errors], rounds: int = 1000) -> Rate:
    """All errors by all words, and its bootstrap interval over utterances (Bisani and Ney 2004). ``counted`` is not empty."""
    wrong = np.array([one.wrong for one in counted])
    length = np.array([one.length for one in counted])
    drawn = np.random.default_rng(7).integers(len(counted), size=(rounds, len(counted)))
    low, high = np.percentile(100 * wrong[drawn].sum(1) / length[drawn].sum(1), (2.5, 97.5)).tolist()
    return Rate(100 * int(wrong.sum()) / int(length.sum()), low, high, len(counted), int(length.sum()))


@dataclass(frozen=True, slots=True)
class Churn:
    """``shown`` words appeared, of which ``changed`` did not stay as they were."""

    shown: int
    changed: int

    def __add__(self, other: Churn) -> Churn:
        return Churn(self.shown + other.shown, self.changed + other.changed)

    @property
    def percent(self) -> float:
        return 100 * self.changed / self.shown if self.shown else 0.0


def churn(texts: Sequence[Sequence[str]], judged: Sequence[int]) -> Churn:
    """How many words of a growing text did not last.

    ``texts``: the words of each revision, the final last. ``judged``: how many words of each revision count, from its start: its
    stable prefix, or all. A word lives on in the next revision where the two agree, at whatever place (longest common blocks,
    Ratcliff and Metzener 1988), so that one word put in does not change all those after it; but one that gave way to another and
    came back has changed, and its return is a new word.
    """
    born = count()
    alive: list[int] = []
    words: Sequence[str] = ()
    seen: set[int] = set()
    for text, counted in zip(texts, judged, strict=True):
        following = [-1] * len(text)
        for before, after, length in SequenceMatcher(None, words, text, autojunk=False).get_matching_blocks():
            following[after : after + length] = alive[before : before + length]
        alive = [next(born) if identity < 0 else identity for identity in following]
        words = text
        seen.update(alive[:counted])
    return Churn(len(seen), len(seen.difference(alive)))


def folded(words: Sequence[str]) -> list[str]:
    """``words`` without case and the punctuation around them."""
    return [word.casefold().strip(string.punctuation) for word in words]
