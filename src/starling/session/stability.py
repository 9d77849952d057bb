"""The part of a growing hypothesis that will not change any more."""

from __future__ import annotations

from collections import deque


class StablePrefix:
    """Local agreement: what the last ``agreement`` hypotheses have in common, but for the last ``hold_back`` words.

    Macháček, Dabre, Bojar, "Turning Whisper into Real-Time Transcription System" (2023), section 3; Liu et al. (2020). Unlike
    there the engine re-reads the whole segment, so a later hypothesis may still contradict the prefix; then it shrinks.
    """

    __slots__ = ("_hold_back", "_recent", "_stable")

    def __init__(self, agreement: int = 3, hold_back: int = 1) -> None:
        self._recent: deque[list[str]] = deque(maxlen=agreement)
        self._hold_back = hold_back
        self._stable: list[str] = []

    def update(self, text: str) -> str:
        """Take the next hypothesis; the stable prefix of it, on a word boundary."""
        words = text.split(" ")
        self._recent.append(words)
        stable = _common(self._stable, words)
        if len(self._recent) == self._recent.maxlen:
            agreed = self._recent[0]
            for other in self._recent:
                agreed = _common(agreed, other)
            agreed = agreed[: max(0, len(words) - self._hold_back)]
            stable = max(stable, agreed, key=len)
        self._stable = stable
        return " ".join(stable)


def _common(left: list[str], right: list[str]) -> list[str]:
    for index, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return left[:index]
    return left[: min(len(left), len(right))]
