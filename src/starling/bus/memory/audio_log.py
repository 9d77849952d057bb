"""AudioLog in memory."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from starling.core.audio import SAMPLE_RATE
from starling.core.errors import IllegalTransition, SessionGone, ShuttingDown
from starling.core.records import Audio, Checkpoint, Ended, Gap, Opened, Record, SessionRecord, Tail


@dataclass(slots=True)
class _Staged:
    """What a session has on the log: how it opens, and what no checkpoint covers yet, each record with the position after it.

    The last ``unread`` of the records, and ``opened`` unless ``announced``, have not gone to the follower.
    """

    opened: Opened
    end: int
    tail: Tail
    records: deque[tuple[int, Record]] = field(default_factory=deque)
    unread: int = 0
    announced: bool = False
    room: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def lead(self) -> int:
        return max(0, self.end - self.opened.checkpoint.position)

    def add(self, record: SessionRecord) -> None:
        if isinstance(record, Audio | Gap):
            if record.end <= self.end:
                return
            self.end = record.end
        else:
            self._drop_repeated(record)
        self.records.append((self.end, record))
        self.unread += 1
        self.tail = Tail(position=self.end, sequence=record.sequence, received=record.received, ended=isinstance(record, Ended))

    def _drop_repeated(self, control: Record) -> None:
        """Of controls of one kind with no audio between them only the last counts: a flood of them takes no memory."""
        for index in range(len(self.records) - 1, -1, -1):
            _, record = self.records[index]
            if isinstance(record, Audio | Gap):
                return
            if type(record) is type(control):
                if index >= len(self.records) - self.unread:
                    self.unread -= 1
                del self.records[index]
                return

    def rewind(self) -> None:
        """Let a new follower read all of it."""
        self.unread = len(self.records)
        self.announced = False

    def read(self) -> list[Record]:
        """What is new to the follower."""
        new: list[Record] = [] if self.announced else [self.opened]
        # From the right: what is new may be one of thousands.
        new += reversed([record for _, record in islice(reversed(self.records), self.unread)])
        self.unread = 0
        self.announced = True
        return new

    def trim(self, checkpoint: Checkpoint) -> None:
        """Drop what ``checkpoint`` covers. A control at its very position may not have been seen, and does no harm twice."""
        self.opened = replace(self.opened, checkpoint=checkpoint)
        while self.records:
            position, record = self.records[0]
            if position > checkpoint.position or (position == checkpoint.position and not isinstance(record, Audio | Gap)):
                break
            self.records.popleft()
        self.unread = min(self.unread, len(self.records))
        self.room.set()


class MemoryAudioLog:
    """AudioLog in memory. ``max_lead``: samples a session may be ahead of its last checkpoint before ``append`` waits.

    It must be at least what a session may hear between two checkpoints, or both sides wait for ever. A new follower takes over
    from the one before, which ends.
    """

    def __init__(self, *, max_lead: int = 60 * SAMPLE_RATE) -> None:
        self._max_lead = max_lead
        self._sessions: dict[str, _Staged] = {}
        self._behind: dict[str, None] = {}  # sessions with something unread, in the order of their oldest
        self._lag = 0
        self._wake = asyncio.Event()
        self._follower = 0
        self._closed = False

    async def append(self, record: Record) -> None:
        if isinstance(record, Opened):
            self._open(record)
        else:
            staged = await self._room_for(record)
            lead = staged.lead
            staged.add(record)
            self._lag += staged.lead - lead
        self._behind[record.session_id] = None
        self._wake.set()

    def _open(self, opened: Opened) -> None:
        self._refuse_when_closed()
        if opened.session_id in self._sessions:
            raise IllegalTransition(f"session {opened.session_id} is open on this log already")
        position, sequence = opened.checkpoint.position, opened.checkpoint.sequence
        tail = Tail(position=position, sequence=sequence, received=0)
        self._sessions[opened.session_id] = _Staged(opened, position, tail)

    async def _room_for(self, record: Record) -> _Staged:
        while True:
            self._refuse_when_closed()
            staged = self._sessions.get(record.session_id)
            if staged is None:
                raise SessionGone(f"session {record.session_id} is not open on this log")
            if not isinstance(record, Audio | Gap) or staged.lead < self._max_lead:
                return staged
            staged.room.clear()
            await staged.room.wait()

    async def follow(self) -> AsyncIterator[Sequence[Record]]:
        self._follower += 1
        follower = self._follower
        for staged in self._sessions.values():
            staged.rewind()
        self._behind = dict.fromkeys(self._sessions)
        self._wake.set()
        while follower == self._follower:
            batch = [record for session_id in self._behind if (it := self._sessions.get(session_id)) for record in it.read()]
            self._behind.clear()
            if batch:
                yield batch
            elif self._closed:
                return
            else:
                self._wake.clear()
                await self._wake.wait()

    async def commit(self, session_id: str, checkpoint: Checkpoint) -> None:
        staged = self._sessions.get(session_id)
        if staged is not None and not checkpoint.precedes(staged.opened.checkpoint):
            lead = staged.lead
            staged.trim(checkpoint)
            self._lag += staged.lead - lead

    async def forget(self, session_id: str) -> None:
        staged = self._sessions.pop(session_id, None)
        if staged is not None:
            self._lag -= staged.lead
            staged.room.set()

    async def tail(self, session_id: str) -> Tail:
        staged = self._sessions.get(session_id)
        if staged is None:
            raise SessionGone(f"session {session_id} is not open on this log")
        return staged.tail

    def lag(self) -> int:
        return self._lag

    def staged(self, session_id: str) -> int | None:
        """Samples staged of one session; None if it is not open."""
        staged = self._sessions.get(session_id)
        return None if staged is None else staged.lead

    async def close(self) -> None:
        self._closed = True
        self._wake.set()
        for staged in self._sessions.values():
            staged.room.set()

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise ShuttingDown("the audio log is closed; connect again")
