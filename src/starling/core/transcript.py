"""What recognition says: an engine's hypothesis, and what becomes of it on its way to a client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word. ``start`` and ``end`` are sample positions; ``confidence`` is 0 to 1, or None if unknown."""

    text: str
    start: int
    end: int
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """An engine's answer for one utterance.

    ``end``: how many samples of the utterance, counted from its start, the text covers. ``words``: positions count from the
    utterance's start; finals have words when they were asked for, partials, whose text they are, where their times are known.
    ``confidence``: 0 to 1, or None. ``hotwords``: how many hot words the text has; None where none were given.
    """

    text: str
    end: int
    confidence: float | None = None
    language: str | None = None
    words: tuple[Word, ...] = ()
    hotwords: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """Revision ``revision`` of segment ``segment_id``: what was said from ``start`` to ``end``, sample positions of the session.

    Revisions of a segment only grow and nothing follows its final. ``stable_text`` is the prefix of ``text`` that stays: while
    speech goes on it only grows, and the final hardly ever has other words there, though their case and punctuation may differ.
    Of a final it is the whole.
    """

    session_id: str
    segment_id: int
    revision: int
    is_final: bool
    text: str
    stable_text: str
    start: int
    end: int
    confidence: float | None = None
    language: str | None = None
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Speech of segment ``segment_id`` was first heard at position ``at``."""

    session_id: str
    segment_id: int
    at: int


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """Speech of segment ``segment_id`` ended at position ``at``.

    ``noticed``: the position at which that was sure; the difference is the endpoint wait.
    """

    session_id: str
    segment_id: int
    at: int
    noticed: int


@dataclass(frozen=True, slots=True)
class SessionDone:
    """All that a session had to say has been said. ``position``: samples heard; ``segments``: finals delivered."""

    session_id: str
    position: int
    segments: int


@dataclass(frozen=True, slots=True)
class SegmentFailed:
    """Segment ``segment_id`` gets an empty final: its decode failed. ``code`` and ``message`` are those of the error."""

    session_id: str
    segment_id: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class SessionFailed:
    """The session cannot go on, and says no more. ``code`` and ``message`` are those of the error."""

    session_id: str
    code: str
    message: str


SessionEvent: TypeAlias = SpeechStarted | SpeechEnded | Transcript | SegmentFailed | SessionDone | SessionFailed
