"""A gateway's ear for one session: what it has yet to read, wherever that comes from."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable

from starling.core.transcript import SessionDone, SessionEvent, SessionFailed, Transcript


class MemorySubscription:
    """Subscription in memory. ``missed``: what comes first."""

    def __init__(self, missed: Iterable[SessionEvent] = ()) -> None:
        self._events: deque[SessionEvent] = deque(missed)
        self._wake = asyncio.Event()
        self._closed = False

    @property
    def backlog(self) -> int:
        return len(self._events)

    def put(self, event: SessionEvent) -> None:
        """Add ``event``, in place of a waiting partial that it makes stale."""
        if self._closed:
            return
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


def _replaces(newer: Transcript, older: Transcript) -> bool:
    return not older.is_final and older.segment_id == newer.segment_id
