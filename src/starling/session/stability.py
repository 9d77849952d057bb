"""The part of a growing hypothesis that will hardly change any more."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence


class StablePrefix:
    """Local agreement: what the last ``agreement`` hypotheses have in common, but for the last ``hold_back`` words.

    Macháček, Dabre, Bojar, "Turning Whisper into Real-Time Transcription System" (2023), section 3; Liu et al. (2020). Unlike
    there the engine re-reads the whole segment, so a later hypothesis may still contradict the prefix; then it shrinks. Words
    agree whatever their case and punctuation, which depend on what follows and are settled by the final alone. On 97 segments
    of real speech 2.9 % of the words called stable were not in the final, and 41 % of partial words were called stable; with
    three hypotheses 3.6 and 51 %, and where case and punctuation counted too, 4.0 and 29 % with four.
    """

    __slots__ = ("_hold_back", "_recent", "_stable")

    def __init__(self, agreement: int = 4, hold_back: int = 1) -> None:
        self._recent: deque[list[str]] = deque(maxlen=agreement)
        self._hold_back = hold_back
        self._stable: list[str] = []

    def update(self, text: str) -> str:
        """Take the next hypothesis; the stable prefix of it, on a word boundary."""
        words = text.split(" ")
        bare = ["".join(filter(str.isalnum, word)).casefold() for word in words]
        self._recent.append(bare)
        count = _in_common(self._stable, bare)
        if len(self._recent) == self._recent.maxlen:
            agreed = min(_in_common(bare, other) for other in self._recent)
            count = max(count, min(agreed, len(words) - self._hold_back))
        self._stable = bare[:count]
        return " ".join(words[:count])


def _in_common(left: Sequence[str], right: Sequence[str]) -> int:
    """How many words the two begin with alike."""
    for index, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return index
    return min(len(left), len(right))
