"""The sentence that is being spoken, as a client hears of it: piece by piece, and no piece is taken back."""

from __future__ import annotations

from starling.core.transcript import Transcript


class Sentence:
    """Clients glue together what they get, so everything but the first brings the space before it.

    Only words that stay are said before a segment is final: pieces cannot be corrected.
    """

    def __init__(self) -> None:
        self.index = 0  # among the sentences of the utterance
        self.words = 0  # that were said of it
        self._something = False  # was said before it, on this connection

    def piece(self, transcript: Transcript) -> str:
        """The words of ``transcript`` that are sure and new; empty for none."""
        words = (transcript.text if transcript.is_final else transcript.stable_text).split()
        new = words[self.words :]
        space = " " if new and (self._something or self.words) else ""
        self.words += len(new)
        return space + " ".join(new)

    def whole(self, text: str) -> str:
        """``text``, which is said in place of the pieces."""
        return f" {text}" if text and self._something else text

    def over(self, *, something: bool) -> None:
        """The next sentence begins. ``something``: this one had a text."""
        self._something |= something
        self.index += something
        self.words = 0

    def restart(self) -> None:
        """The next utterance begins."""
        self.index = self.words = 0
