"""Hot words: what a session expects to be said, such as names, which the engine then prefers where the sound allows it."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from starling.core.errors import InvalidOption

MAX_HOTWORDS: Final = 1000
"""Phrases of one session."""

MAX_PHRASE: Final = 100
"""Characters of one phrase."""

MAX_BYTES: Final = 20_000
"""Bytes of UTF-8 of all phrases of one session together."""

WEIGHT_RANGE: Final = (0.1, 2.0)


@dataclass(frozen=True, slots=True)
class HotWord:
    """A word or phrase that is expected. ``weight``: 0.1 to 2; 1 is right for most, 2 also puts it where it was not said.

    The phrase is kept without space around it or twice in a row, composed (NFC); it is no part of the repr, which may be logged.
    Raises InvalidOption for a phrase without a letter or digit, one that is too long, or a weight out of range.
    """

    phrase: str = field(repr=False)
    weight: float = 1.0

    def __post_init__(self) -> None:
        phrase = unicodedata.normalize("NFC", " ".join(self.phrase.split()))
        if not any(map(str.isalnum, phrase)):
            raise InvalidOption("a hot word must have a letter or digit, got one without: leave it out")
        if len(phrase) > MAX_PHRASE:
            raise InvalidOption(f"a hot word must have at most {MAX_PHRASE} characters, got {len(phrase)}")
        if not phrase.isprintable():
            raise InvalidOption("a hot word must be printable characters, got one with control characters")
        low, high = WEIGHT_RANGE
        if not (math.isfinite(self.weight) and low <= self.weight <= high):
            raise InvalidOption(f"the weight of a hot word must be between {low:g} and {high:g}, got {self.weight:g}")
        object.__setattr__(self, "phrase", phrase)


def hot_words(entries: Iterable[str | HotWord]) -> tuple[HotWord, ...]:
    """``entries`` as hot words; a plain string has weight 1. Raises InvalidOption for what HotWord refuses, and for too many."""
    found = tuple(HotWord(entry) if isinstance(entry, str) else entry for entry in entries)
    check_hot_words(found)
    return found


def check_hot_words(words: tuple[HotWord, ...]) -> None:
    """Raises InvalidOption when there are too many."""
    if len(words) > MAX_HOTWORDS:
        raise InvalidOption(f"a session may have at most {MAX_HOTWORDS} hot words, got {len(words)}")
    length = sum(len(word.phrase.encode()) for word in words)
    if length > MAX_BYTES:
        raise InvalidOption(f"the hot words of a session may have at most {MAX_BYTES} bytes together, got {length}")
