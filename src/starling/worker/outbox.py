"""What a session has to tell others, in order, on its way out: it waits for the bus so that nothing else has to."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeAlias

from starling.core.transcript import SessionEvent, Transcript
from starling.session.commands import Commit, Deliver, Finish
from starling.telemetry.logs import get_logger

log = get_logger(__name__)

Outgoing: TypeAlias = Deliver | Commit | Finish

Spawn: TypeAlias = Callable[[Coroutine[Any, Any, None]], object]
"""Starts a task that nobody awaits."""

LIMIT: Final = 64
"""Entries above which a session takes no more audio. What it has begun may still add its finals."""


class Outbox:
    """A queue of one session, and the task that empties it while there is something in it.

    ``send`` is awaited for each entry, in order: what is committed was published before. ``moved`` is called when there is room
    again, and when all is sent. ``failed`` is told what ``send`` raised, unless for the last entry of all, Finish; what waited
    behind that is dropped.
    """

    def __init__(
        self,
        send: Callable[[Outgoing], Awaitable[None]],
        *,
        spawn: Spawn,
        moved: Callable[[], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._send = send
        self._spawn = spawn
        self._moved = moved
        self._failed = failed
        self._waiting: deque[Outgoing] = deque()
        self._sending = False

    def __len__(self) -> int:
        return len(self._waiting) + self._sending

    @property
    def full(self) -> bool:
        """Whether the session should produce nothing more for now."""
        return len(self) >= LIMIT

    def put(self, entry: Outgoing) -> None:
        """Add ``entry``, in place of a waiting one that it makes stale: an older partial, or the commit just before it."""
        stale = self._stale(entry)
        if stale is not None:
            self._waiting.remove(stale)
        self._waiting.append(entry)
        if not self._sending:
            self._sending = True
            self._spawn(self._empty())

    def close(self) -> None:
        """Nothing comes any more. Its session holds it: without that it would be one that holds its session, for ever."""
        self._send, self._moved, self._failed = _nowhere, _nothing, _nobody

    def clear(self) -> None:
        """Drop what waits; what is being sent may yet arrive."""
        self._waiting.clear()

    def _stale(self, entry: Outgoing) -> Outgoing | None:
        if isinstance(entry, Commit) and self._waiting and isinstance(self._waiting[-1], Commit):
            return self._waiting[-1]
        if isinstance(entry, Deliver) and _is_partial(entry.event):
            return next((it for it in self._waiting if isinstance(it, Deliver) and _is_partial(it.event)), None)
        return None

    async def _empty(self) -> None:
        while self._waiting:
            was_full = self.full
            entry = self._waiting.popleft()
            try:
                await self._send(entry)
            except Exception as error:
                self._waiting.clear()
                if isinstance(entry, Finish):
                    log.exception("session could not be forgotten")
                else:
                    self._failed(error)
            if was_full and not self.full:
                self._moved()
        self._sending = False
        self._moved()


async def _nowhere(_: Outgoing) -> None: ...


def _nothing() -> None: ...


def _nobody(_: Exception) -> None: ...


def _is_partial(event: SessionEvent) -> bool:
    return isinstance(event, Transcript) and not event.is_final
