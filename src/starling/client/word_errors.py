"""Word error rate: how far a transcript is from what was said.

Levenshtein distance over words (substitutions, deletions and insertions cost one each) divided by the number of reference words,
as NIST's sclite counts it. Case and punctuation do not count; numbers and spellings are compared as written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_NOT_A_WORD = re.compile(r"[^\w\s']|_")


def words(text: str) -> list[str]:
    """The words of ``text`` in lower case without punctuation. Apostrophes within a word stay; dashes part words."""
    spaced = _NOT_A_WORD.sub(" ", text.replace("\u2019", "'").casefold())
    return [word for word in (piece.strip("'") for piece in spaced.split()) if word]


def edit_distance(reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    """The fewest substitutions, deletions and insertions that turn ``reference`` into ``hypothesis``."""
    previous = list(range(len(hypothesis) + 1))
    for row, expected in enumerate(reference, start=1):
        current = [row]
        for column, heard in enumerate(hypothesis, start=1):
            current.append(min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (expected != heard)))
        previous = current
    return previous[-1]


def word_error_rate(reference: str, hypothesis: str) -> float:
    """Word errors per word of ``reference``: 0.0 is perfect, above 1.0 is possible. Raises ValueError without reference words."""
    expected = words(reference)
    if not expected:
        raise ValueError("the reference has no words, so an error rate has no meaning")
    return edit_distance(expected, words(hypothesis)) / len(expected)
