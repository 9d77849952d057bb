"""The bus of one process: both ports in memory."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from starling.core.audio import SAMPLE_RATE
from starling.core.errors import IllegalTransition, ShuttingDown
from starling.core.records import Audio, Checkpoint, Gap, Opened, Record
from starling.core.transcript import SessionDone, SessionEvent, SessionFailed, Transcript


@dataclass(slots=True)
class _Staged:
    """What a session has on the log: how it opens, and what no checkpoint covers yet, each record with the position after it."""

    opened: Opened
    end: int
    records: deque[tuple[int, Record]] = field(default_factory=deque)
    room: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def lead(self) -> int:
        return max(0, self.end - self.opened.checkpoint.position)

    def add(self, record: Record) -> None:
        if isinstance(record, Audio | Gap):
            self.end = record.end
        else:
            self._drop_repeated(record)
        self.records.append((self.end, record))

    def _drop_repeated(self, control: Record) -> None:
        """Of controls of one kind with no audio between them only the last counts: replaying a flood of them takes no memory."""
        for index in range(len(self.records) - 1, -1, -1):
            _, record = self.records[index]
            if isinstance(record, Audio | Gap):
                return
            if type(record) is type(control):
                del self.records[index]
                return

    def trim(self, checkpoint: Checkpoint) -> None:
        """Drop what ``checkpoint`` covers. A control at its very position may not have been seen, and does no harm twice."""
        self.opened = Opened(self.opened.session_id, self.opened.trace_id, checkpoint)
        while self.records:
            position, record = self.records[0]
            if position > checkpoint.position or (position == checkpoint.position and not isinstance(record, Audio | Gap)):
                break
            self.records.popleft()
        self.room.set()


class MemoryAudioLog:
    """AudioLog in memory. ``max_lead``: samples a session may be ahead of its last checkpoint before ``append`` waits."""

    def __init__(self, *, max_lead: int = 60 * SAMPLE_RATE) -> None:
        self._max_lead = max_lead
        self._sessions: dict[str, _Staged] = {}
        self._fresh: deque[Record] = deque()
        self._wake = asyncio.Event()
        self._followed = False
        self._closed = False

    async def append(self, record: Record) -> None:
        if isinstance(record, Opened):
            self._refuse_when_closed()
            self._sessions[record.session_id] = _Staged(record, record.checkpoint.position)
        else:
            (await self._room_for(record)).add(record)
        if self._followed:
            self._fresh.append(record)
            self._wake.set()

    async def _room_for(self, record: Record) -> _Staged:
        while True:
            self._refuse_when_closed()
            staged = self._sessions.get(record.session_id)
            if staged is None:
                raise IllegalTransition(f"session {record.session_id} is not open on this log")
            if not isinstance(record, Audio) or staged.lead < self._max_lead:
                return staged
            staged.room.clear()
            await staged.room.wait()

    async def follow(self) -> AsyncIterator[Sequence[Record]]:
        if self._followed:
            raise IllegalTransition("this log has a follower already")
        self._followed = True
        self._fresh.clear()
        for staged in self._sessions.values():
            self._fresh.append(staged.opened)
            self._fresh.extend(record for _, record in staged.records)
        try:
            while True:
                while not self._fresh and not self._closed:
                    self._wake.clear()
                    await self._wake.wait()
                if not self._fresh:
                    return
                batch, self._fresh = tuple(self._fresh), deque()
                yield batch
        finally:
            self._followed = False

    async def commit(self, session_id: str, checkpoint: Checkpoint) -> None:
        staged = self._sessions.get(session_id)
        if staged is not None and checkpoint.position >= staged.opened.checkpoint.position:
            staged.trim(checkpoint)

    async def forget(self, session_id: str) -> None:
        staged = self._sessions.pop(session_id, None)
        if staged is not None:
            staged.room.set()

    def lag(self) -> int:
        return sum(staged.lead for staged in self._sessions.values())

    async def close(self) -> None:
        self._closed = True
        self._wake.set()
        for staged in self._sessions.values():
            staged.room.set()

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise ShuttingDown("the audio log is closed; connect again")


class MemorySubscription:
    """Subscription in memory."""

    def __init__(self, bus: MemoryResultBus, session_id: str) -> None:
        self._bus = bus
        self._session_id = session_id
        self._events: deque[SessionEvent] = deque()
        self._wake = asyncio.Event()
        self._closed = False

    @property
    def backlog(self) -> int:
        return len(self._events)

    def put(self, event: SessionEvent) -> None:
        """Add ``event``, in place of a waiting partial that it makes stale."""
        if isinstance(event, Transcript):
            stale = next((e for e in reversed(self._events) if isinstance(e, Transcript) and _replaces(event, e)), None)
            if stale is not None:
                self._events.remove(stale)
        self._events.append(event)
        self._wake.set()

    async def __aiter__(self) -> AsyncIterator[SessionEvent]:
        while not self._closed:
            if not self._events:
                self._wake.clear()
                await self._wake.wait()
                continue
            event = self._events.popleft()
            yield event
            if isinstance(event, SessionDone | SessionFailed):
                return

    def close(self) -> None:
        self._closed = True
        self._events.clear()
        self._wake.set()
        self._bus.unsubscribe(self._session_id, self)


class MemoryResultBus:
    """ResultBus in memory."""

    def __init__(self) -> None:
        self._subscriptions: dict[str, MemorySubscription] = {}

    def subscribe(self, session_id: str) -> MemorySubscription:
        subscription = self._subscriptions[session_id] = MemorySubscription(self, session_id)
        return subscription

    def unsubscribe(self, session_id: str, subscription: MemorySubscription) -> None:
        """Forget ``subscription``, unless another one took its place."""
        if self._subscriptions.get(session_id) is subscription:
            del self._subscriptions[session_id]

    async def publish(self, event: SessionEvent) -> None:
        subscription = self._subscriptions.get(event.session_id)
        if subscription is not None:
            subscription.put(event)


def _replaces(newer: Transcript, older: Transcript) -> bool:
    return not older.is_final and older.segment_id == newer.segment_id
