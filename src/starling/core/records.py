"""What travels on the audio log from gateway to recognizer, in order within a session.

A session on the log is ``Opened``, then any of ``Audio``, ``Gap``, ``Finalize``, ``Configure``, then ``Ended``. Opening and
restoring are one thing: a new session is restored from the checkpoint at position 0, so a recognizer has a single way in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from starling.core.audio import Samples
from starling.core.config import SessionConfig
from starling.core.load import Priority
from starling.core.tracing import SpanContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A point before which a session needs nothing more: replay from here gives the same results as never having stopped.

    ``position``: samples from the start of the session. ``next_segment``: the id its next segment gets. ``sequence``: the last
    record that was taken; a replayed Finalize or Configure up to it has had its effect, whatever its position.
    """

    config: SessionConfig
    position: int = 0
    next_segment: int = 0
    sequence: int = -1

    def precedes(self, other: Checkpoint) -> bool:
        """Whether ``other``, of the same session, is further."""
        return (self.position, self.next_segment, self.sequence) < (other.position, other.next_segment, other.sequence)


@dataclass(frozen=True, slots=True)
class Opened:
    """A session begins, or goes on after its last checkpoint.

    ``span``: the session's, where it is recorded. ``taken_over``: whoever follows it now is not the first; the log says it.
    """

    session_id: str
    trace_id: str
    checkpoint: Checkpoint
    priority: Priority = Priority.NORMAL
    span: SpanContext | None = None
    taken_over: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Audio:
    """``samples`` (int16, 16 kHz mono) from position ``start``; ``sequence`` counts the session's records.

    ``arrived``: the gateway's clock when the bytes came, in seconds, for latency metrics only. ``received``, here and in every
    record: the bytes of the client's audio that the log stands for once this record is in. A gateway that goes on where another
    one stopped needs them from there.
    """

    session_id: str
    sequence: int
    start: int
    samples: Samples
    arrived: float = 0.0
    received: int = 0

    @property
    def end(self) -> int:
        return self.start + len(self.samples)


@dataclass(frozen=True, slots=True)
class Gap:
    """``count`` samples of silence from ``start`` that were not worth sending."""

    session_id: str
    sequence: int
    start: int
    count: int
    arrived: float = 0.0
    received: int = 0

    @property
    def end(self) -> int:
        return self.start + self.count


@dataclass(frozen=True, slots=True)
class Finalize:
    """End the open segment here, as if silence had ended it."""

    session_id: str
    sequence: int
    received: int = 0


@dataclass(frozen=True, slots=True)
class Configure:
    """Options from the next segment on."""

    session_id: str
    sequence: int
    config: SessionConfig
    received: int = 0


class EndReason(StrEnum):
    """Why no more audio comes."""

    CLIENT = "client"
    DISCONNECTED = "disconnected"
    SHUTDOWN = "shutdown"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Ended:
    """No more audio comes; open segments are finalised."""

    session_id: str
    sequence: int
    reason: EndReason = EndReason.CLIENT
    received: int = 0


@dataclass(frozen=True, slots=True)
class Revoked:
    """The session is another follower's now: whoever followed it drops it and says nothing more of it."""

    session_id: str


@dataclass(frozen=True, slots=True)
class Barred:
    """The session's audio ended recognizers before: whoever follows it works on it no more, tells its client, and forgets it."""

    session_id: str


SessionRecord: TypeAlias = Audio | Gap | Finalize | Configure | Ended
Record: TypeAlias = Opened | SessionRecord
Followed: TypeAlias = Record | Revoked | Barred


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """How far a session's records on the log go.

    ``position``: samples. ``sequence``: of the last record, that of the checkpoint it opened with if there was none.
    ``received``: of the last record. ``ended``: Ended is among them.
    """

    position: int
    sequence: int
    received: int
    ended: bool = False
