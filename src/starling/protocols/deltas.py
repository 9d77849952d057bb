"""A text that may still be revised, told as deltas that may not."""

from __future__ import annotations

from typing import Final

HELD: Final = ".,!?;:\u2026"
"""What follows a word and may still become something else."""


class GrowingText:
    """The text of one item, of one segment or of several, one after the other."""

    def __init__(self) -> None:
        self.text = ""  # of the segments that have their finals
        self._told = ""

    def partial(self, stable: str) -> str:
        """The next delta, of words that stay: ``stable`` begins the text of the segment that is being said. Perhaps empty."""
        return self._tell(_joined(self.text, stable.rstrip(HELD)))

    def final(self, text: str) -> str:
        """The same for the final text of that segment. Where it says otherwise than the deltas before, there is none."""
        self.text = _joined(self.text, text)
        return self._tell(self.text)

    def _tell(self, text: str) -> str:
        if not text.startswith(self._told):
            return ""
        delta, self._told = text[len(self._told) :], text
        return delta


def _joined(one: str, other: str) -> str:
    return f"{one} {other}" if one and other else one or other
