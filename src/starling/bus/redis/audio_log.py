"""The gateway's end of the audio log: it appends, in batches, and waits where a session is too far ahead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NoReturn

import msgspec

from starling.bus.entries import pack_entry
from starling.bus.partitions import partition_of
from starling.bus.redis.batches import Batches
from starling.bus.redis.inbox import Inbox
from starling.bus.redis.link import Link
from starling.bus.redis.scripts.records import APPEND, LOOK
from starling.bus.redis.scripts.sessions import FORGET, OPEN, TAKE
from starling.core.errors import IllegalTransition, SessionGone, ShuttingDown
from starling.core.records import Audio, Checkpoint, Ended, Followed, Gap, Opened, Record, SessionRecord, Tail

BATCH: Final = 256
"""Records that go to Redis at once, at most."""


@dataclass(slots=True)
class Writing:
    """A session that this gateway appends to. ``number``: of its last record, ``written`` of the last
    that is on the log; ``end``: where its sound ends; ``under_way``: done when the last record is on the log, or cannot be.
    """

    session_id: str
    partition: int
    end: int
    committed: int
    number: int = 0
    written: int = 0
    sequence: int = -1
    received: int = 0
    ended: bool = False
    epoch: int = 0  # with which this gateway writes
    gone: bool = False
    moved: bool = False  # to another gateway
    room: asyncio.Event = field(default_factory=asyncio.Event)
    under_way: asyncio.Future[None] | None = None

    @property
    def lead(self) -> int:
        return max(0, self.end - self.committed)

    def told(self, answer: int) -> None:
        """Take what Redis answers: the committed position, or that the session is not this gateway's any more."""
        if answer < 0:
            self.gone = True
        self.committed = max(self.committed, answer)
        self.room.set()


class GatewayAudioLog:
    """The AudioLog of a gateway. Closing it concerns this process alone. ``offset``: what makes its clock the wall's, in seconds.

    While Redis is away, appends wait: a session's client is not read any more once what was taken of it is not written.
    """

    def __init__(self, link: Link, inbox: Inbox, *, max_lead: int, offset: float = 0.0) -> None:
        self._link = link
        self._gateway = inbox.gateway
        self._max_lead = max_lead
        self._offset = offset
        self._sessions: dict[str, Writing] = {}
        self._batches: Batches[tuple[Writing, int, bytes]] = Batches(self._write, BATCH)
        self._closed = False
        inbox.on(b"c", self._on_commit)
        inbox.on(b"f", self._on_gone)
        inbox.on(b"m", self._on_moved)
        inbox.look_again(self._look)

    async def append(self, record: Record) -> None:
        self._refuse_when_closed()
        if isinstance(record, Opened):
            await self._open(record)
            return
        writing = await self._room_for(record)
        number = writing.number
        if isinstance(record, Audio | Gap) and record.end <= writing.end:
            await self._flushed(writing)  # what made it known may not be there yet
        else:
            number = self._add(writing, record)
            await self._flushed(writing)
        if writing.moved or (writing.gone and writing.written < number):  # it may well be over because of this very record
            self._drop(writing)
            raise gone(record.session_id)

    async def _open(self, opened: Opened) -> None:
        entry = pack_entry(opened, opened.checkpoint.position)
        self._sessions[opened.session_id] = await self._begun(opened, entry)

    async def _begun(self, opened: Opened, entry: bytes) -> Writing:
        """A session that is open from now on. ``entry``: what stands of it on its stream, nothing where that is elsewhere."""
        session_id, checkpoint = opened.session_id, opened.checkpoint
        partition = partition_of(session_id, self._link.options.partitions)
        place = (checkpoint.position, checkpoint.next_segment, checkpoint.sequence)
        epoch = 0
        if session_id not in self._sessions:
            packed = msgspec.msgpack.encode(opened)
            epoch = await self._link.run(OPEN, self._gateway, session_id, partition, packed, *place, entry)
        if not epoch:
            raise IllegalTransition(f"session {session_id} is open on this log already")
        end = checkpoint.position
        return Writing(session_id, partition, end, end, sequence=checkpoint.sequence, epoch=epoch)

    async def _room_for(self, record: SessionRecord) -> Writing:
        while True:
            self._refuse_when_closed()
            writing = self._sessions.get(record.session_id)
            if writing is None or writing.gone:
                raise gone(record.session_id)
            if not isinstance(record, Audio | Gap) or writing.lead < self._max_lead:
                return writing
            writing.room.clear()
            await writing.room.wait()

    def _add(self, writing: Writing, record: SessionRecord) -> int:
        """It will be written from here on, whether or not anybody waits for that. Its number."""
        if isinstance(record, Audio | Gap):
            writing.end = record.end
        writing.number += 1
        writing.sequence, writing.received = record.sequence, record.received
        writing.ended = writing.ended or isinstance(record, Ended)
        self._send(writing, pack_entry(record, writing.end, offset=self._offset))
        return writing.number

    def _send(self, writing: Writing, entry: bytes) -> None:
        writing.under_way = self._batches.add((writing, writing.number, entry))

    async def _flushed(self, writing: Writing) -> None:
        """Until everything that was added of a session is on the log."""
        if writing.under_way is not None and not writing.under_way.done():
            await asyncio.shield(writing.under_way)

    async def _write(self, batch: Sequence[tuple[Writing, int, bytes]]) -> None:
        told: list[str | int | bytes] = []
        for writing, number, entry in batch:
            told += writing.session_id, number, entry
        answers = await self._link.run(APPEND, self._gateway, *told)
        for (writing, number, _), answer in zip(batch, answers, strict=True):
            writing.told(answer)
            if answer >= 0:
                writing.written = number

    def follow(self) -> AsyncIterator[Sequence[Followed]]:
        """A recognizer's."""
        _not_here("follows the log")

    async def commit(self, session_id: str, checkpoint: Checkpoint) -> None:  # noqa: ARG002 - the port's
        _not_here("commits")

    async def forget(self, session_id: str) -> None:
        writing = self._sessions.get(session_id)
        if writing is not None:
            self._drop(writing)
            await self._link.run(FORGET, session_id, writing.partition, "")

    async def tail(self, session_id: str) -> Tail:
        known = self._sessions.get(session_id)
        if known is not None:
            await self._flushed(known)
        writing = await self._take(session_id)  # whatever is known here: another gateway may have had it meanwhile
        return Tail(position=writing.end, sequence=writing.sequence, received=writing.received, ended=writing.ended)

    async def _take(self, session_id: str) -> Writing:
        writing, _, _ = await self._taken(session_id)
        self._sessions[session_id] = writing
        return writing

    async def _taken(self, session_id: str) -> tuple[Writing, int, bytes]:
        """A session that is this gateway's from now on, as Redis knows it; the first epoch that counts; and a score of ``live``.
        Raises SessionGone.
        """
        partition = partition_of(session_id, self._link.options.partitions)
        known = await self._link.run(TAKE, self._gateway, session_id, partition)
        if not known:
            raise gone(session_id)
        epoch, committed, end, sequence, received, ended, number, first, since = known
        writing = Writing(session_id, partition, end, committed, number, number, sequence, received, bool(ended), epoch)
        return writing, first, since

    def staged(self, session_id: str) -> int | None:
        """Samples of one session; None for one that this gateway does not have."""
        writing = self._sessions.get(session_id)
        return None if writing is None else writing.lead

    def lag(self) -> int:
        return sum(writing.lead for writing in self._sessions.values())

    async def close(self) -> None:
        self._closed = True
        for writing in self._sessions.values():
            writing.room.set()

    # --- what Redis tells ---

    def _on_commit(self, message: bytes) -> None:
        session_id, _, position = message.partition(b"\0")
        if (writing := self._sessions.get(session_id.decode())) is not None:
            writing.told(int(position))

    def _on_gone(self, message: bytes) -> None:
        if (writing := self._sessions.get(message.decode())) is not None:
            self._drop(writing)

    def _on_moved(self, message: bytes) -> None:
        session_id, _, epoch = message.partition(b"\0")
        writing = self._sessions.get(session_id.decode())
        if writing is not None and writing.epoch < int(epoch):  # else this gateway took it back meanwhile
            writing.moved = True
            self._drop(writing)

    async def _look(self) -> None:
        known = list(self._sessions.values())
        answers = await self._link.run(LOOK, self._gateway, *(writing.session_id for writing in known)) if known else ()
        for writing, answer in zip(known, answers, strict=True):
            writing.told(answer)
            if writing.gone:
                self._drop(writing)

    def _drop(self, writing: Writing) -> None:
        writing.told(-1)
        if self._sessions.get(writing.session_id) is writing:
            del self._sessions[writing.session_id]

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise ShuttingDown("the audio log is closed; connect again")


def gone(session_id: str) -> SessionGone:
    """Of a session that this gateway does not have."""
    return SessionGone(f"session {session_id} is not open on this log")


def _not_here(what: str) -> NoReturn:
    raise IllegalTransition(f"only a recognizer {what}")
