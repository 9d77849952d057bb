"""What a recognizer follows of a log past one host, and what its follower has yet to hear. Pure; where records come from is a
matter of each log.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, NamedTuple, TypeVar

from starling.bus.entries import Entry
from starling.core.records import Barred, Checkpoint, Followed, Opened, Revoked

STRIKES: Final = 2
"""So many at one committed position, and the session is over; so many of a network, and it may not send compressed audio."""


@dataclass(slots=True)
class Part:
    """A partition that is followed, under the ``epoch`` of its lease."""

    epoch: int


P = TypeVar("P", bound=Part)
At = TypeVar("At")
"""Where a record stands on the log."""


@dataclass(frozen=True, slots=True)
class Needed(Generic[At]):
    """A record that no checkpoint covers: where it stands, the position at which it ends, and whether it is sound."""

    at: At
    end: int
    is_sound: bool

    def wanted_after(self, position: int) -> bool:
        """Whether a checkpoint at ``position`` leaves something of it. A control at that very place may not have been seen."""
        return self.end > position or (self.end == position and not self.is_sound)


class Bounds(NamedTuple):
    """What a commit tells of a session's records: the oldest that is needed, the newest that was read, and the epoch before whose
    mark nothing is needed any more; empty where it tells nothing.
    """

    needed: bytes = b""
    read: bytes = b""
    first: str = ""


UNKNOWN: Final = Bounds()
"""Of a session that is not followed."""


@dataclass(slots=True)
class Reading(ABC, Generic[At]):
    """A session that is followed. ``needed``: its records that no checkpoint covers, the first first; ``newest``: where the last
    one stands that counted; ``end``: the position up to which there is sound to work on.
    """

    opened: Opened
    partition: int
    end: int = 0
    newest: At | None = None
    needed: deque[Needed[At]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.end = self.position

    @property
    def position(self) -> int:
        """That of the last checkpoint."""
        return self.opened.checkpoint.position

    @property
    def oldest(self) -> At | None:
        """Where the first record stands that is needed; None where none is."""
        return self.needed[0].at if self.needed else None

    @property
    @abstractmethod
    def bounds(self) -> Bounds:
        """As the log has to know them."""

    def commit(self, checkpoint: Checkpoint) -> None:
        """What ``checkpoint`` covers is needed no more."""
        self.opened = replace(self.opened, checkpoint=checkpoint)
        while self.needed and not self.needed[0].wanted_after(checkpoint.position):
            self.needed.popleft()

    def count(self, at: At, entry: Entry) -> bool:
        """Take note of a record that counts. Whether anybody needs it."""
        self.newest = at
        it = Needed(at, entry.end, entry.is_sound)
        if not it.wanted_after(self.position):
            return False
        self.end = max(self.end, it.end)
        if not self.needed or it.is_sound or self.needed[-1].is_sound or self.needed[-1].end != it.end:
            self.needed.append(it)  # else it is needed as long as the one before
        return True


R = TypeVar("R", bound=Reading[Any])


class Following(Generic[P, R]):
    """What one follower has: ``parts`` by partition, ``readings`` by session, and ``out``, what it has yet to hear.

    ``suspects``: sessions with a strike; emptied first of all. ``dropped`` is told of each session that another one has now.
    """

    def __init__(self, suspects: set[str], dropped: Callable[[str], None]) -> None:
        suspects.clear()
        self.parts: dict[int, P] = {}
        self.readings: dict[str, R] = {}
        self.out: deque[Followed] = deque()
        self._suspects = suspects
        self._dropped = dropped
        self._heard: dict[int, str] = {}

    def hear(self) -> list[Followed]:
        """All that the follower has yet to hear."""
        batch = list(self.out)
        self.out.clear()
        self._heard = {partition: str(part.epoch) for partition, part in self.parts.items()}
        return batch

    def has_heard(self, partition: int, epoch: str) -> bool:
        """Whether the follower knows that it has ``partition`` under that epoch."""
        return self._heard.get(partition) == epoch

    def lost(self, held: Mapping[int, int]) -> list[int]:
        """Drop what is not in ``held`` (epochs by partition) any more: which partitions."""
        lost = [partition for partition, part in self.parts.items() if held.get(partition) != part.epoch]
        for partition in lost:
            del self.parts[partition]
            for session_id in [it for it, reading in self.readings.items() if reading.partition == partition]:
                self.revoke(session_id)
        return lost

    def revoke(self, session_id: str) -> None:
        """It is another one's, or another session of that name."""
        self.forget(session_id)
        self.out.append(Revoked(session_id))
        self._dropped(session_id)

    def begin(self, reading: R, strikes: int = 0) -> R:
        """Follow a session, which is barred after ``STRIKES``."""
        session_id = reading.opened.session_id
        self.readings[session_id] = reading
        self.out.append(reading.opened)
        if strikes >= STRIKES:
            self.out.append(Barred(session_id))
        elif strikes:
            self._suspects.add(session_id)
        return reading

    def commit(self, session_id: str, checkpoint: Checkpoint) -> R | None:
        """The session, if it is followed and ``checkpoint`` is none that came before its last one."""
        reading = self.readings.get(session_id)
        if reading is None or checkpoint.precedes(reading.opened.checkpoint):
            return None
        if checkpoint.position > reading.position:
            self._suspects.discard(session_id)
        reading.commit(checkpoint)
        return reading

    def forget(self, session_id: str) -> None:
        """It is over."""
        self.readings.pop(session_id, None)
        self._suspects.discard(session_id)

    def of(self, partition: int) -> Iterator[R]:
        """The sessions of a partition."""
        return (reading for reading in self.readings.values() if reading.partition == partition)

    def lag(self) -> int:
        """Samples that no checkpoint covers."""
        return sum(max(0, reading.end - reading.position) for reading in self.readings.values())
