"""A recognizer's end of the audio log on Kafka: it follows the partitions that it was assigned and has leased."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final, NoReturn

import msgspec

from starling.bus.entries import Entry, unpack_entry
from starling.bus.kafka.group import Group, Place, Value
from starling.bus.kafka.scripts import SUCCEED, SURVEY
from starling.bus.kafka.stamps import Succession, unstamped
from starling.bus.redis.follower import WAITING, Holding
from starling.bus.redis.inquest import STRIKES
from starling.bus.redis.link import Link
from starling.bus.redis.scripts import COMMIT, FENCED, FORGET
from starling.bus.redis.tenure import LOST
from starling.core.errors import IllegalTransition, ServerError, ShuttingDown
from starling.core.records import Barred, Checkpoint, Followed, Opened, Record, Revoked, Tail

LOOK: Final = 0.2
"""Seconds that a look at the log waits for something new: so long it may take to notice another partition."""


@dataclass(frozen=True, slots=True)
class _Needed:
    """A record: where it stands on Kafka, the epoch that wrote it, the position where it ends, and whether it is sound."""

    offset: int
    epoch: int
    end: int
    is_sound: bool

    def wanted_after(self, position: int) -> bool:
        return self.end > position or (self.end == position and not self.is_sound)


@dataclass(slots=True)
class _Reading:
    """A session that this recognizer follows. ``needed``: its records that no checkpoint covers; ``newest``: the last one that
    counted; ``marked``: the offset of a mark that no record of its epoch has followed yet; ``known``: the first epoch that
    counts, as Redis knows it; ``held``: the newest controls of each kind, for as long as others may replace them.
    """

    opened: Opened
    partition: int
    succession: Succession
    end: int
    known: int
    newest: _Needed | None = None
    marked: int | None = None
    needed: deque[_Needed] = field(default_factory=deque)
    held: list[Record] = field(default_factory=list)

    @property
    def position(self) -> int:
        return self.opened.checkpoint.position

    @property
    def oldest(self) -> _Needed | None:
        """The first record from which on another gateway could tell how far the session goes."""
        return self.needed[0] if self.needed else self.newest

    @property
    def offset(self) -> int | None:
        """The first that is needed to go on with the session; None where nothing is."""
        offsets = [self.needed[0].offset] if self.needed else []
        return min([*offsets, *([] if self.marked is None else [self.marked])], default=None)

    def commit(self, checkpoint: Checkpoint) -> None:
        self.opened = replace(self.opened, checkpoint=checkpoint)
        while self.needed and not self.needed[0].wanted_after(checkpoint.position):
            self.needed.popleft()

    def count(self, it: _Needed) -> bool:
        """Take note of a record that counts. Whether anybody needs it."""
        self.newest, self.marked = it, None
        if not it.wanted_after(self.position):
            return False
        self.end = max(self.end, it.end)
        if not self.needed or it.is_sound or self.needed[-1].is_sound or self.needed[-1].end != it.end:
            self.needed.append(it)  # else it is needed as long as the one before
        return True


@dataclass(slots=True)
class _Following:
    """A partition: its epoch, the next offset, the one at which it ended when it was begun, the newest writer known then, and
    what was committed of it last.
    """

    epoch: int
    next: int
    until: int
    writers: int
    kept: int


class KafkaRecognizerAudioLog:
    """The AudioLog of a recognizer. Closing it concerns this process alone. ``offset``: what makes its clock the wall's, in
    seconds. ``dropped`` is told of each session that another one has now. ``suspects``: sessions with a strike, see ``inquest``.

    What counts is in Redis, checkpoint by checkpoint, under the epoch of the lease. What is committed to Kafka follows it: the
    smallest offset that any session of the partition needs, and where to begin after that.
    """

    def __init__(
        self, link: Link, tenure: Holding, group: Group, *, offset: float = 0.0, dropped: Callable[[str], None] = lambda _: None
    ) -> None:
        self._link = link
        self._tenure = tenure
        self._group = group
        self._offset = offset
        self.dropped = dropped
        self.taken = 0  # records
        self.suspects: set[str] = set()
        self._partitions: dict[int, _Following] = {}
        self._readings: dict[str, _Reading] = {}
        self._out: deque[Followed] = deque()
        self._wake = asyncio.Event()
        self._drained = asyncio.Event()
        self._epochs: dict[int, str] = {}  # as the follower has heard of them
        self._follower = 0
        self._closed = False

    async def append(self, record: Record) -> None:  # noqa: ARG002 - the port's
        _not_here("appends")

    async def tail(self, session_id: str) -> Tail:  # noqa: ARG002 - the port's
        _not_here("asks for the tail")

    async def follow(self) -> AsyncIterator[Sequence[Followed]]:
        self._follower += 1
        follower = self._follower
        self._wake.set()  # the one before
        self._wake = wake = asyncio.Event()
        self._partitions.clear()
        self._readings.clear()
        self.suspects.clear()
        self._epochs.clear()
        out: deque[Followed] = deque()
        self._out = out
        self._group.join()
        pump = asyncio.create_task(self._pump(out, wake), name="audio log")
        try:
            while follower == self._follower:
                if out:
                    batch = list(out)
                    out.clear()
                    self._drained.set()
                    self._epochs = {it: str(following.epoch) for it, following in self._partitions.items()}
                    yield batch
                elif pump.done():
                    pump.result()
                    return
                else:
                    wake.clear()
                    await wake.wait()
        finally:
            pump.cancel()
            with suppress(asyncio.CancelledError):
                await pump

    async def _pump(self, out: deque[Followed], wake: asyncio.Event) -> None:
        """Take what is new of all partitions, until the log is closed and everything is read."""
        try:
            while True:
                self._tenure.changed.clear()
                await self._change()
                values = await self._group.read(LOOK)
                for value in values:
                    self._take(value)
                self._release()
                if out:
                    wake.set()
                if self._closed and not values and self._caught_up:
                    return
                while len(out) > WAITING:
                    self._drained.clear()
                    await self._drained.wait()
        except ShuttingDown:
            pass
        finally:
            wake.set()

    @property
    def _caught_up(self) -> bool:
        if self._partitions.keys() != self._tenure.held.keys():
            return False
        return all(following.next >= following.until for following in self._partitions.values())

    async def _change(self) -> None:
        """Drop what was lost, take up what was gained."""
        held = {it: epoch for it, epoch in self._tenure.held.items() if it in self._group.assigned}
        lost = [it for it, following in self._partitions.items() if held.get(it) != following.epoch]
        for partition in lost:
            del self._partitions[partition]
            for session_id in [it for it, reading in self._readings.items() if reading.partition == partition]:
                del self._readings[session_id]
                self.suspects.discard(session_id)
                self._out.append(Revoked(session_id))
                self.dropped(session_id)
        gained = [it for it in held if it not in self._partitions]
        try:
            if lost:
                await self._group.leave(lost)
            places = await self._group.begin(gained) if gained else {}
        except ServerError:  # it is taken away as we speak, or Kafka is away: look again
            return
        for partition, place in places.items():
            await self._take_up(partition, held[partition], place)

    async def _take_up(self, partition: int, epoch: int, place: Place) -> None:
        writers, *sessions = await self._link.run(SURVEY, partition)
        self._partitions[partition] = _Following(epoch, place.start, place.end, writers, place.start)
        for description, committed, strikes, first in zip(*(sessions[it::4] for it in range(4)), strict=True):
            opened = replace(msgspec.msgpack.decode(description, type=Opened), taken_over=True)
            if committed:
                opened = replace(opened, checkpoint=msgspec.msgpack.decode(committed, type=Checkpoint))
            self._begin(opened, partition, first, strikes)

    def _begin(self, opened: Opened, partition: int, epoch: int, strikes: int = 0) -> _Reading:
        reading = _Reading(opened, partition, Succession(epoch), opened.checkpoint.position, epoch)
        self._readings[opened.session_id] = reading
        self._out.append(opened)
        if strikes >= STRIKES:
            self._out.append(Barred(opened.session_id))
        elif strikes:
            self.suspects.add(opened.session_id)
        return reading

    def _take(self, value: Value) -> None:
        following = self._partitions.get(value.partition)
        if following is None or value.offset < following.next:
            return
        following.next = value.offset + 1
        session_id = value.key.decode()
        epoch, number, data = unstamped(value.value)
        reading = self._readings.get(session_id)
        entry = unpack_entry(session_id, data, offset=self._offset) if data else None
        record = None if entry is None else entry.record
        if isinstance(record, Opened):
            if epoch > following.writers and (reading is None or epoch > reading.succession.epoch):
                if reading is not None:  # it was forgotten meanwhile, and opened anew
                    self._out.append(Revoked(session_id))
                    self.dropped(session_id)
                reading = self._begin(record, value.partition, epoch)
            if reading is not None and epoch == reading.succession.epoch and reading.newest is None:
                reading.newest = _Needed(value.offset, epoch, entry.end if entry else 0, is_sound=False)
            return
        if reading is None:  # it is over
            return
        if entry is None or record is None:
            if epoch > reading.succession.epoch:
                reading.marked = value.offset
            reading.succession.takes(epoch, number)
        elif reading.succession.takes(epoch, number) and reading.count(_Needed(value.offset, epoch, entry.end, entry.is_sound)):
            self._emit(reading, entry, record, hold=value.offset < following.until)
            self.taken += 1

    def _emit(self, reading: _Reading, entry: Entry, record: Record, *, hold: bool) -> None:
        """Pass ``record`` on. Of controls that nobody has seen yet the last of each kind is enough."""
        if entry.is_sound or not hold:
            self._out.extend(reading.held)
            reading.held.clear()
            self._out.append(record)
        else:
            reading.held = [it for it in reading.held if type(it) is not type(record)] + [record]

    def _release(self) -> None:
        """Pass on the controls of partitions that are read up to where they ended when they were begun."""
        for reading in self._readings.values():
            following = self._partitions[reading.partition]
            if reading.held and following.next >= following.until:
                self._out.extend(reading.held)
                reading.held.clear()

    def place(self, session_id: str) -> tuple[int, str]:
        """As ``Fence``. Who has not yet heard that a partition was lost does not write by the lease that came after."""
        partition, epoch = self._tenure.place(session_id)
        return partition, epoch if epoch in {"", self._epochs.get(partition)} else LOST

    def lost(self, partition: int) -> None:
        """A write was refused."""
        self._tenure.lost(partition)

    async def commit(self, session_id: str, checkpoint: Checkpoint) -> None:
        partition, epoch = self.place(session_id)
        reading = self._readings.get(session_id)
        needed = b""
        if reading is not None and not checkpoint.precedes(reading.opened.checkpoint):
            if checkpoint.position > reading.position:
                self.suspects.discard(session_id)
            reading.commit(checkpoint)
            if (oldest := reading.oldest) is not None:
                needed = str(oldest.offset).encode()
                if reading.known < oldest.epoch and await self._succeed(session_id, partition, epoch, oldest.epoch):
                    reading.known = oldest.epoch
        place = (checkpoint.position, checkpoint.next_segment, checkpoint.sequence)
        packed = msgspec.msgpack.encode(checkpoint)
        if await self._link.run(COMMIT, session_id, partition, epoch, packed, *place, needed, b"") == FENCED:
            self._tenure.lost(partition)
        else:
            self._keep(partition)

    async def _succeed(self, session_id: str, partition: int, epoch: str, writer: int) -> bool:
        """Say that nothing is needed any more that older gateways than ``writer`` wrote."""
        answer: int = await self._link.run(SUCCEED, session_id, partition, epoch, writer)
        return answer != FENCED

    async def forget(self, session_id: str) -> None:
        partition, epoch = self.place(session_id)
        if await self._link.run(FORGET, session_id, partition, epoch) == FENCED:
            self._tenure.lost(partition)
        else:
            self._readings.pop(session_id, None)
            self.suspects.discard(session_id)
            self._keep(partition)

    def _keep(self, partition: int) -> None:
        """Commit to Kafka what no session needs any more."""
        following = self._partitions.get(partition)
        if following is None:
            return
        offsets = (it.offset for it in self._readings.values() if it.partition == partition)
        offset = min((it for it in offsets if it is not None), default=following.next)
        if offset > following.kept:
            following.kept = offset
            self._group.keep(partition, offset)

    @property
    def sessions(self) -> int:
        """How many are followed."""
        return len(self._readings)

    def lag(self) -> int:
        return sum(max(0, reading.end - reading.position) for reading in self._readings.values())

    async def close(self) -> None:
        self._closed = True
        self._wake.set()
        self._tenure.changed.set()


def _not_here(what: str) -> NoReturn:
    raise IllegalTransition(f"only a gateway {what}")
