"""Which of the records of a partition on Kafka count, and how far of it nothing is needed any more. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from starling.bus.entries import Entry, unpack_entry
from starling.bus.following import UNKNOWN, Bounds, Following, Part, Reading
from starling.bus.kafka.group import Value
from starling.bus.kafka.stamps import Succession, unstamped
from starling.core.records import Opened, Record


class Stand(NamedTuple):
    """Where a record stands on Kafka, and the epoch that wrote it."""

    offset: int
    epoch: int


@dataclass(slots=True, kw_only=True)
class Offsets(Part):
    """A partition: the next offset, the one at which it ended when it was begun, the newest writer known then, and what was
    committed of it last.
    """

    next: int
    until: int
    writers: int
    kept: int

    @property
    def caught_up(self) -> bool:
        """Whether what was there at the beginning is read."""
        return self.next >= self.until


@dataclass(slots=True, kw_only=True)
class Stamped(Reading[Stand]):
    """A session of which several gateways may have written. ``marked``: the offset of a mark that no record of its epoch has
    followed yet; ``held``: the newest controls of each kind, for as long as others may replace them.
    """

    succession: Succession
    marked: int | None = None
    held: list[Record] = field(default_factory=list)

    @property
    def offset(self) -> int | None:
        """The first that is needed to go on with the session; None where nothing is."""
        oldest = self.oldest
        offsets = [] if oldest is None else [oldest.offset]
        return min([*offsets, *([] if self.marked is None else [self.marked])], default=None)

    @property
    def bounds(self) -> Bounds:
        oldest = self.oldest or self.newest  # from there on another gateway can tell how far the session goes
        return UNKNOWN if oldest is None else Bounds(str(oldest.offset).encode(), first=str(oldest.epoch))


class OnKafka(Following[Offsets, Stamped]):
    """What stands on Kafka, by its offset."""

    def open(self, opened: Opened, partition: int, epoch: int, strikes: int = 0) -> Stamped:
        """Follow a session whose records count from ``epoch`` on."""
        return self.begin(Stamped(opened, partition, succession=Succession(epoch)), strikes)

    def take(self, value: Value, *, offset: float) -> bool:
        """Whether it counts and somebody needs it. ``offset``: what makes this process's clock the wall's, in seconds."""
        part = self.parts.get(value.partition)
        if part is None or value.offset < part.next:
            return False
        part.next = value.offset + 1
        session_id = value.key.decode()
        epoch, number, data = unstamped(value.value)
        entry = unpack_entry(session_id, data, offset=offset) if data else None
        stand = Stand(value.offset, epoch)
        if entry is not None and isinstance(entry.record, Opened):
            self._opened(entry.record, value.partition, stand, part)
            return False
        reading = self.readings.get(session_id)
        if reading is None:  # it is over
            return False
        if entry is None and epoch > reading.succession.epoch:
            reading.marked = value.offset
        if not reading.succession.takes(epoch, number) or entry is None:
            return False
        reading.marked = None
        needed = reading.count(stand, entry)
        if needed:
            self._pass_on(reading, entry, hold=value.offset < part.until)
        return needed

    def _opened(self, record: Opened, partition: int, stand: Stand, part: Offsets) -> None:
        reading = self.readings.get(record.session_id)
        if stand.epoch > part.writers and (reading is None or stand.epoch > reading.succession.epoch):
            if reading is not None:  # it was forgotten meanwhile, and opened anew
                self.revoke(record.session_id)
            reading = self.open(record, partition, stand.epoch)
        if reading is not None and stand.epoch == reading.succession.epoch and reading.newest is None:
            reading.newest = stand

    def _pass_on(self, reading: Stamped, entry: Entry, *, hold: bool) -> None:
        """Of controls that nobody has seen yet the last of each kind is enough."""
        if entry.is_sound or not hold:
            self.out.extend(reading.held)
            reading.held.clear()
            self.out.append(entry.record)
        else:
            reading.held = [it for it in reading.held if type(it) is not type(entry.record)] + [entry.record]

    def release(self) -> None:
        """Pass on the controls of partitions that are read up to where they ended when they were begun."""
        for reading in self.readings.values():
            if reading.held and self.parts[reading.partition].caught_up:
                self.out.extend(reading.held)
                reading.held.clear()

    def needless(self, partition: int) -> int | None:
        """Before which offset nothing of ``partition`` is needed by any session; None where that was said before."""
        part = self.parts.get(partition)
        if part is None:
            return None
        offsets = (it.offset for it in self.of(partition))
        offset = min((it for it in offsets if it is not None), default=part.next)
        if offset <= part.kept:
            return None
        part.kept = offset
        return offset
