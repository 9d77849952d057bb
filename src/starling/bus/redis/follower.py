"""A recognizer's end of the audio log: it follows the partitions that it has."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, NoReturn, Protocol

import msgspec

from starling.bus.entries import unpack_entry
from starling.bus.redis.inquest import STRIKES
from starling.bus.redis.link import Link
from starling.bus.redis.scripts import COMMIT, FENCED, FORGET, SURVEY
from starling.bus.redis.tenure import LOST, Fence
from starling.core.errors import IllegalTransition, ShuttingDown
from starling.core.records import Barred, Checkpoint, Followed, Opened, Record, Revoked, Tail

COUNT: Final = 200
"""Records of one partition that are read at once."""

BLOCK: Final = 200
"""Milliseconds that a look at the log waits for something new: so long it may take to notice another partition."""

WAITING: Final = 2_000
"""Records that may wait for the follower before the log is read on."""


class Holding(Fence, Protocol):
    """What a follower must know of its tenure."""

    changed: asyncio.Event

    @property
    def held(self) -> Mapping[int, int]:
        """Epochs by partition."""


@dataclass(slots=True)
class _Reading:
    """A session that this recognizer follows. ``needed``: its records that no checkpoint covers; ``read``: the newest of all."""

    opened: Opened
    partition: int
    end: int
    read: bytes = b""
    needed: deque[tuple[bytes, int, bool]] = field(default_factory=deque)

    @property
    def position(self) -> int:
        return self.opened.checkpoint.position

    def commit(self, checkpoint: Checkpoint) -> None:
        self.opened = replace(self.opened, checkpoint=checkpoint)
        while self.needed:
            _, end, is_sound = self.needed[0]
            if end > checkpoint.position or (end == checkpoint.position and not is_sound):
                return
            self.needed.popleft()


@dataclass(slots=True)
class _Following:
    """A partition: its epoch, the last record that was read, and the last one that was there when it was taken."""

    epoch: int
    last: bytes
    surveyed: tuple[int, int]


class RecognizerAudioLog:
    """The AudioLog of a recognizer. Closing it concerns this process alone. ``offset``: what makes its clock the wall's, in
    seconds. ``dropped`` is told of each session that another one has now. ``suspects``: sessions with a strike, see ``inquest``.

    What a recognizer writes that has lost a partition is refused there, and dropped here; its follower hears ``Revoked``.
    """

    def __init__(
        self, link: Link, tenure: Holding, *, offset: float = 0.0, dropped: Callable[[str], None] = lambda _: None
    ) -> None:
        self._link = link
        self._tenure = tenure
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
        """Read what is new of all partitions, until the log is closed and everything is read."""
        try:
            while True:
                self._tenure.changed.clear()
                await self._change()
                if out:
                    wake.set()
                if not self._partitions and not self._closed:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._tenure.changed.wait(), BLOCK / 1000)
                    continue
                found = await self._until_changed(self._read())
                if out:
                    wake.set()
                if self._closed and not found:
                    return
                while len(out) > WAITING:
                    self._drained.clear()
                    await self._drained.wait()
        except ShuttingDown:
            pass
        finally:
            wake.set()

    async def _until_changed(self, reading: Coroutine[Any, Any, bool]) -> bool:
        """What ``reading`` answers, unless the tenure changes: then it is given up, having changed nothing."""
        tasks = asyncio.create_task(reading, name="read"), asyncio.create_task(self._tenure.changed.wait(), name="tenure")
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        return True if tasks[0].cancelled() else tasks[0].result()

    async def _change(self) -> None:
        """Drop what was lost, take up what was gained."""
        held = dict(self._tenure.held)
        for partition, following in list(self._partitions.items()):
            if held.get(partition) != following.epoch:
                del self._partitions[partition]
                for session_id in [it for it, reading in self._readings.items() if reading.partition == partition]:
                    del self._readings[session_id]
                    self.suspects.discard(session_id)
                    self._out.append(Revoked(session_id))
                    self.dropped(session_id)
        for partition, epoch in held.items():
            if partition not in self._partitions:
                await self._take_up(partition, epoch)

    async def _take_up(self, partition: int, epoch: int) -> None:
        last, *sessions = await self._link.run(SURVEY, partition)
        for description, committed, strikes in zip(*(sessions[it::3] for it in range(3)), strict=True):
            opened = replace(msgspec.msgpack.decode(description, type=Opened), taken_over=True)
            if committed:
                opened = replace(opened, checkpoint=msgspec.msgpack.decode(committed, type=Checkpoint))
            self._begin(opened, partition, strikes)
        self._partitions[partition] = _Following(epoch, b"0-0", _ordered(last))

    def _begin(self, opened: Opened, partition: int, strikes: int = 0) -> _Reading:
        reading = self._readings[opened.session_id] = _Reading(opened, partition, opened.checkpoint.position)
        self._out.append(opened)
        if strikes >= STRIKES:
            self._out.append(Barred(opened.session_id))
        elif strikes:
            self.suspects.add(opened.session_id)
        return reading

    async def _read(self) -> bool:
        streams = {f"{self._link.prefix}log:{it}".encode(): following.last for it, following in self._partitions.items()}
        if not streams:
            return False
        found = await self._link.read(streams, block=0 if self._closed else BLOCK, count=COUNT)
        for stream, entries in found:
            partition = int(stream.rpartition(b":")[2])
            for entry_id, fields in entries:
                for session_id, data in fields.items():
                    self._take(partition, entry_id, session_id.decode(), data)
                self._partitions[partition].last = entry_id
        return bool(found)

    def _take(self, partition: int, entry_id: bytes, session_id: str, data: bytes) -> None:
        reading = self._readings.get(session_id)
        entry = unpack_entry(session_id, data, offset=self._offset)
        record = entry.record
        if isinstance(record, Opened):
            if reading is None and _ordered(entry_id) > self._partitions[partition].surveyed:
                reading = self._begin(record, partition)
            if reading is not None:
                reading.read = entry_id
            return
        if reading is None:  # it is over
            return
        reading.read = entry_id
        if entry.wanted_after(reading.position):
            reading.end = max(reading.end, entry.end)
            reading.needed.append((entry_id, entry.end, entry.is_sound))
            self._out.append(record)
            self.taken += 1

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
        needed = read = b""
        if reading is not None and not checkpoint.precedes(reading.opened.checkpoint):
            if checkpoint.position > reading.position:
                self.suspects.discard(session_id)
            reading.commit(checkpoint)
            needed, read = reading.needed[0][0] if reading.needed else b"", reading.read
        place = (checkpoint.position, checkpoint.next_segment, checkpoint.sequence)
        packed = msgspec.msgpack.encode(checkpoint)
        if await self._link.run(COMMIT, session_id, partition, epoch, packed, *place, needed, read) == FENCED:
            self._tenure.lost(partition)

    async def forget(self, session_id: str) -> None:
        partition, epoch = self.place(session_id)
        if await self._link.run(FORGET, session_id, partition, epoch) == FENCED:
            self._tenure.lost(partition)
        else:
            self._readings.pop(session_id, None)
            self.suspects.discard(session_id)

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


def _ordered(entry_id: bytes) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition(b"-")
    return int(milliseconds), int(number or 0)


def _not_here(what: str) -> NoReturn:
    raise IllegalTransition(f"only a gateway {what}")
