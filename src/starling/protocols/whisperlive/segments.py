"""The list of segments that each message has: the last that are complete, and the one that is being spoken."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from starling.core.audio import seconds
from starling.core.transcript import Transcript, Word

Segment: TypeAlias = Mapping[str, Any]


class Segments:
    """The last ``count`` segments, each of which begins no earlier than the one before ended: clients skip those that do."""

    def __init__(self, count: int) -> None:
        self._complete: deque[Segment] = deque(maxlen=count)
        self._count = count
        self._end = 0.0  # of the last complete one
        self._shown = ""  # text of the incomplete one, as it was shown last

    def heard(self, transcript: Transcript, *, words: bool) -> Sequence[Sequence[Segment]]:
        """The lists to be sent, in order.

        A final is shown as incomplete before it is shown as complete: at the end a client keeps the last incomplete text that it
        saw, unless it is that of the last complete segment.
        """
        lists = []
        if transcript.text and not (transcript.is_final and transcript.text == self._shown):
            self._shown = transcript.text
            lists.append(self._with(self._segment(transcript)))
        if not transcript.is_final:
            return lists
        vanished = bool(self._shown) and not transcript.text
        self._shown = ""
        if transcript.text:
            segment = self._segment(transcript, completed=True)
            if words:
                segment["words"] = [_word(word) for word in transcript.words]
            self._end = float(segment["end"])
            self._complete.append(segment)
            lists.append(list(self._complete))
        elif vanished:
            lists.append(list(self._complete))
        return lists

    def _with(self, segment: Segment) -> Sequence[Segment]:
        return [*self._complete, segment][-self._count :]

    def _segment(self, transcript: Transcript, *, completed: bool = False) -> dict[str, Any]:
        start = max(self._end, seconds(transcript.start))
        return {
            "start": f"{start:.3f}",
            "end": f"{max(start, seconds(transcript.end)):.3f}",
            "text": f" {transcript.text}",
            "completed": completed,
        }


def _word(word: Word) -> Mapping[str, Any]:
    return {
        "word": f" {word.text}",
        "start": round(seconds(word.start), 3),
        "end": round(seconds(word.end), 3),
        "probability": 1.0 if word.confidence is None else round(word.confidence, 4),
    }
