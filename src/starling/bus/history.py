"""What is kept of one session's results: nothing twice, in order, and as much as a client that was away may have missed. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from enum import Enum, auto
from typing import Final

from starling.core.errors import ResultsLost
from starling.core.transcript import (
    SegmentFailed,
    SessionDone,
    SessionEvent,
    SessionFailed,
    SpeechEnded,
    SpeechStarted,
    Transcript,
)

KEPT: Final = 1024
"""Lasting events kept of a session: those of 256 segments at the least, more than a minute of speech can have."""


class Stage(Enum):
    """What can be said of a segment, once each."""

    STARTED = auto()
    ENDED = auto()
    FAILED = auto()
    FINAL = auto()


def stage(event: SessionEvent) -> Stage | None:
    """The stage of its segment that ``event`` tells; None for partials and for a session's last word."""
    match event:
        case SpeechStarted():
            return Stage.STARTED
        case SpeechEnded():
            return Stage.ENDED
        case SegmentFailed():
            return Stage.FAILED
        case Transcript(is_final=True):
            return Stage.FINAL
        case Transcript() | SessionDone() | SessionFailed():
            return None


class Progress:
    """How far a session's results have come, to tell what is new from what a recognizer that took over repeats.

    Finals come in order, so only segments after the last final need remembering: which stages of them were ``told``, and the
    ``newest`` transcript of each. ``over``: the session has said its last word. One that is made from another's four says what
    that one would.
    """

    def __init__(
        self,
        *,
        final: int = -1,
        told: Mapping[int, Iterable[Stage]] | None = None,
        newest: Iterable[Transcript] = (),
        over: bool = False,
    ) -> None:
        self._final = final
        self._told = {segment: set(stages) for segment, stages in (told or {}).items()}
        self._newest = {transcript.segment_id: transcript for transcript in newest}
        self._over = over

    @property
    def final(self) -> int:
        """The last segment that is final, -1 for none."""
        return self._final

    @property
    def told(self) -> Mapping[int, Collection[Stage]]:
        """The stages that were told of each segment after it."""
        return self._told

    @property
    def over(self) -> bool:
        """The last word was said."""
        return self._over

    def accept(self, event: SessionEvent) -> SessionEvent | None:
        """``event`` as it is to be told, or None if it says nothing new."""
        if self._over:
            return None
        if isinstance(event, SessionDone | SessionFailed):
            self._over = True
            return event
        segment_id = event.segment_id
        if segment_id <= self._final:
            return None
        if (told := stage(event)) is not None:
            stages = self._told.setdefault(segment_id, set())
            if told in stages:
                return None
            stages.add(told)
        return self._revised(event) if isinstance(event, Transcript) else event

    def _revised(self, transcript: Transcript) -> Transcript | None:
        before = self._newest.get(transcript.segment_id)
        if before is not None and transcript.revision <= before.revision:
            if not transcript.is_final and transcript.end <= before.end:
                return None
            transcript = replace(transcript, revision=before.revision + 1)
        self._newest[transcript.segment_id] = transcript
        if transcript.is_final:
            self._final = transcript.segment_id
            self._told = {known: stages for known, stages in self._told.items() if known > self._final}
            self._newest = {known: newest for known, newest in self._newest.items() if known > self._final}
        return transcript


class History:
    """The newest ``kept`` lasting events of a session, and its newest partial while that says more than they do."""

    def __init__(self, kept: int = KEPT) -> None:
        self._lasting: deque[SessionEvent] = deque()
        self._kept = kept
        self._lost = -1  # the newest segment of which something is not kept any more
        self._partial: Transcript | None = None

    def add(self, event: SessionEvent) -> None:
        """Keep ``event``, which ``Progress`` accepted."""
        if isinstance(event, Transcript) and not event.is_final:
            self._partial = event
            return
        if self._partial is not None and (isinstance(event, SessionDone | SessionFailed) or _settles(event, self._partial)):
            self._partial = None
        self._lasting.append(event)
        if len(self._lasting) > self._kept:
            lost = self._lasting.popleft()
            assert not isinstance(lost, SessionDone | SessionFailed), "nothing follows the last word"
            self._lost = max(self._lost, lost.segment_id)

    def after(self, segment_id: int) -> Sequence[SessionEvent]:
        """What somebody missed who knows the final of ``segment_id`` and all before (-1: nothing). Raises ResultsLost."""
        if self._lost > segment_id:
            raise ResultsLost(f"results up to segment {self._lost} are not kept any more; start a new session")
        missed = [e for e in self._lasting if isinstance(e, SessionDone | SessionFailed) or e.segment_id > segment_id]
        if self._partial is not None and self._partial.segment_id > segment_id:
            missed.append(self._partial)
        return missed


def _settles(event: SessionEvent, partial: Transcript) -> bool:
    return isinstance(event, Transcript) and event.segment_id >= partial.segment_id
