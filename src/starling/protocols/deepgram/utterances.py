"""When nobody has said a word for long enough, by the audio alone. All positions and lengths are samples."""

from __future__ import annotations

from collections import deque


class UtteranceWatch:
    """Each method answers with the end of the last word, once, when ``patience`` has passed since it; else with None.

    Finals may come long after the speech that follows them has begun, and recognition says nothing of silence. So while a final
    is missing nothing is told but a pause in what is being said; and what was heard of silence is reckoned: recognition is as far
    behind the audio that came as it was when it said its last final.
    """

    def __init__(self, patience: int | None) -> None:
        self._patience = patience
        self._last: int | None = None  # end of a word that nothing was told after
        self._told = -1
        self._unsettled: deque[int] = deque()  # where segments began whose finals are missing
        self._behind: int | None = None

    def began(self, at: int) -> int | None:
        """A segment begins at ``at``."""
        told = None if self._unsettled else self._due(at)
        self._unsettled.append(at)
        return told

    def said(self, last_word_end: int, heard: int) -> int | None:
        """The text so far of the first segment that has no final; ``heard``: the audio it covers."""
        if last_word_end > self._told:
            self._last = last_word_end
        return self._due(heard)

    def settled(self, last_word_end: int | None, noticed: int, received: int | None) -> int | None:
        """The first segment without a final has it now, with words or none.

        Its end was noticed at ``noticed``, and ``received`` samples came by now, where that is known.
        """
        if self._unsettled:
            self._unsettled.popleft()
        if last_word_end is not None and last_word_end > self._told:
            self._last = last_word_end
        self._behind = None if received is None else max(0, received - noticed)
        return self._due(self._unsettled[0] if self._unsettled else noticed)

    def received(self, samples: int) -> int | None:
        """So many samples came in all."""
        return None if self._unsettled or self._behind is None else self._due(samples - self._behind)

    def over(self, at: int) -> int | None:
        """The stream ends at ``at``."""
        return self._due(at)

    def _due(self, heard: int) -> int | None:
        if self._patience is None or self._last is None or heard - self._last < self._patience:
            return None
        self._told, self._last = self._last, None
        return self._told
