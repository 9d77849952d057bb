"""How a caption grows: which of its words are shown, and which will hardly change any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from starling.core.audio import samples
from starling.core.transcript import Word

SURE: Final = 0.9
"""Confidence that a stable word had all the while."""

SETTLED: Final = samples(0.6)
"""How long a word must have been so sure, in samples heard since."""

LIKELY: Final = 0.5
"""Confidence below which words at the end of a text, where it is still being made up, are not shown."""


class StablePrefix:
    """The words that stay, and the text around them.

    A word is *stable* once it and all before it have been read alike while SETTLED of audio came, it each time with SURE or more
    confidence. Words are the same whatever their case and punctuation. Stable words stay as they were written then: they are
    shown in place of a later reading's own up to their end, so they change at the final or never.

    Agreement of readings alone (Liu et al. 2020; Macháček, Dabre, Bojar 2023, section 3) cannot promise that, since greedy
    readings of the same audio err alike: see docs/decisions/0041 for both on real speech.
    """

    __slots__ = ("_likely", "_settled", "_since", "_sure", "_words")

    def __init__(self, *, sure: float = SURE, settled: int = SETTLED, likely: float = LIKELY) -> None:
        self._sure = sure
        self._settled = settled
        self._likely = likely
        self._words: list[Word] = []
        self._since: Mapping[tuple[str, ...], int] = {}

    def update(self, words: Sequence[Word], *, heard: int, firm: int) -> tuple[Sequence[Word], int]:
        """Take the words of the next reading: those to show, and how many of them are stable.

        ``heard``: how much audio was read. ``firm``: up to where audio will certainly be this utterance's, whatever comes; words
        behind it may yet become the next one's. Both are samples, counted as the positions in ``words``.
        """
        words = self._kept([word for word in (*words[:-1], *map(_open_ended, words[-1:])) if word.text])
        count = len(self._words)
        since: dict[tuple[str, ...], int] = {}
        read = tuple(bare(word.text) for word in words)
        for place in range(count, len(words)):
            if not self._is_sure(words[place]):
                break
            beginning = read[: place + 1]
            since[beginning] = self._since.get(beginning, heard)
            if count == place and heard - since[beginning] >= self._settled and words[place].end <= firm:
                count += 1
        self._since, self._words = since, list(words[:count])
        return self._likely_part(words, count), count

    def _kept(self, words: Sequence[Word]) -> Sequence[Word]:
        """``words``, with the stable ones in place of those that repeat or contradict them."""
        known = self._words
        if [bare(word.text) for word in words[: len(known)]] == [bare(word.text) for word in known]:
            return [*known, *words[len(known) :]]
        end = known[-1].end
        later = (word for word in words if word.start + word.end > 2 * end)
        return [*known, *(replace(word, start=max(word.start, end)) for word in later)]

    def _likely_part(self, words: Sequence[Word], stable: int) -> Sequence[Word]:
        """``words`` without unlikely ones at the end; the first word is always shown, so that captions begin at once.

        Who still speaks has not ended a sentence: the full stop that an engine puts where a recording ends is not shown.
        """
        end = len(words)
        while end > max(stable, 1) and not _reaches(words[end - 1], self._likely):
            end -= 1
        if end == stable:
            return words[:end]
        return [*words[: end - 1], _open_ended(words[end - 1])]

    def _is_sure(self, word: Word) -> bool:
        return word.confidence is not None and word.confidence >= self._sure


def open_ended(text: str) -> str:
    """``text`` without the full stop or comma at its end."""
    return text.rstrip(".,")


def _open_ended(word: Word) -> Word:
    return replace(word, text=open_ended(word.text))


def bare(word: str) -> str:
    """``word`` without case and punctuation."""
    return "".join(filter(str.isalnum, word)).casefold()


def _reaches(word: Word, confidence: float) -> bool:
    """Whether ``word`` is as sure as that; one whose confidence is not known is shown."""
    return word.confidence is None or word.confidence >= confidence
