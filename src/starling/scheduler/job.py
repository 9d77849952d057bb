"""One utterance to decode, and all that its turn depends on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from starling.core.load import Priority
from starling.core.ports import EngineStream


class Kind(StrEnum):
    """What a decode is for."""

    PARTIAL = "partial"
    FINAL = "final"


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One decode. ``submitted``: the clock's time, in seconds.

    ``due``: the time at which the client would have spoken what makes it possible; later than now if the client sends faster than
    anybody speaks. ``audio``: seconds of sound in the stream. ``first``: the segment has shown nothing yet. ``interval``: seconds
    between the partials that the session asks for.
    """

    session_id: str
    segment_id: int
    kind: Kind
    stream: EngineStream
    submitted: float
    due: float = 0.0
    audio: float = 1.0
    first: bool = False
    interval: float = 0.3
    priority: Priority = Priority.NORMAL
