"""A time limit for one wait after the other. ``asyncio.timeout`` sets up a timer for each of them, and nearly all are in vain."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self


class Alarm:
    """Use as ``with alarm.at(time): await ...``, by one task at a time. Raises TimeoutError where the time comes first.

    One timer serves all waits: while it is set for a time before that of the wait, it looks again when that has come.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._time = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._rang = False

    def at(self, time: float) -> Self:
        """Ring at ``time``, on the loop's clock."""
        self._time = time
        return self

    def ring(self) -> None:
        """Ring now, if anybody waits."""
        if self._waiting is not None and not self._rang:
            self._rang = True
            self._waiting.cancel()

    def close(self) -> None:
        """Nobody will wait again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def __enter__(self) -> None:
        if self._timer is None or self._timer.when() > self._time:
            self._set()
        task = asyncio.current_task()
        assert task is not None
        self._waiting, self._cancelling = task, task.cancelling()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        task, self._waiting = self._waiting, None
        if not self._rang:
            return
        self._rang = False
        assert task is not None
        if task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:  # else somebody else has cancelled it too
            raise TimeoutError from error

    def _set(self) -> None:
        self.close()
        self._timer = self._loop.call_at(self._time, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._waiting is None:
            return
        if self._loop.time() < self._time:
            self._set()
        else:
            self.ring()
