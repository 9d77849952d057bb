"""How processes wake each other. A bell says that something changed somewhere; what changed is in the arena.

So a bell that is lost costs time and no data: whoever listens also looks by itself every ``POLL`` seconds.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Final

POLL: Final = 0.1
"""Seconds after which a listener looks without having been rung for."""


class Bell:
    """One process's bell, an eventfd. Every process of the platform may ring it; the one whose it is listens by a Watch."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.watch: Watch | None = None  # set in the process that listens: it needs no system call to ring for itself
        self._soon: asyncio.AbstractEventLoop | None = None

    def ring(self) -> None:
        """Wake its process, once for all that happens in this turn of the event loop. Never blocks."""
        if self.watch is not None:
            self.watch.rung()
            return
        loop = asyncio._get_running_loop()  # noqa: SLF001 - the public one raises where there is none
        if loop is None:
            self._strike()
        elif self._soon is not loop:
            self._soon = loop
            loop.call_soon(self._strike)

    def _strike(self) -> None:
        self._soon = None
        with suppress(BlockingIOError):  # it was rung 2^64 times, and not heard
            os.eventfd_write(self.fd, 1)

    def silence(self) -> None:
        """Forget that it was rung."""
        with suppress(BlockingIOError):
            os.eventfd_read(self.fd)


class Watch:
    """Calls back on the running event loop soon after ``bell`` was rung, and every ``POLL`` seconds. Idle without callbacks."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._callbacks: dict[Callable[[], None], None] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._soon = False

    def add(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` from now on, and once soon."""
        self._attach(asyncio.get_running_loop())
        self._callbacks[callback] = None
        self.rung()

    def discard(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` no more."""
        self._callbacks.pop(callback, None)
        if not self._callbacks:
            self.close()

    def rung(self) -> None:
        """Call everybody back soon. For the thread of the loop."""
        if not self._soon and self._loop is not None:
            self._soon = True
            self._loop.call_soon(self._look)

    def close(self) -> None:
        """Listen no more."""
        self._bell.watch = None
        self._callbacks.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._bell.fd)
        self._loop = None

    def _attach(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is loop:
            return
        self.close()
        self._loop, self._soon = loop, False
        self._bell.watch = self
        loop.add_reader(self._bell.fd, self._heard)
        self._timer = loop.call_later(POLL, self._poll)

    def _heard(self) -> None:
        self._bell.silence()
        self._look()

    def _poll(self) -> None:
        if self._loop is not None:
            self._timer = self._loop.call_later(POLL, self._poll)
            self._look()

    def _look(self) -> None:
        self._soon = False
        for callback in tuple(self._callbacks):
            callback()
