"""A copy of the template, as the supervisor's child."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from starling.core.errors import ServerError
from starling.supervisor.template import TemplateLost
from starling.supervisor.templates import TemplateFailed
from starling.telemetry.logs import get_logger

log = get_logger(__name__)

LOOK: Final = 0.02
"""Seconds between two looks, on kernels that cannot tell when a process ends."""

FAILED: Final = 1
"""Exit status of what never began."""


class Copy:
    """Child that ``making`` makes: it gives the process id. ``give_up`` ends what it is made from, if that takes too long."""

    def __init__(self, making: Awaitable[int], give_up: Callable[[], None]) -> None:
        self._making: asyncio.Future[int] = asyncio.ensure_future(making)
        self._give_up = give_up
        self._reaped = False

    @property
    def pid(self) -> int:
        """0 before there is one."""
        made = self._making.done() and not self._making.cancelled() and self._making.exception() is None
        return self._making.result() if made else 0

    async def wait(self) -> int:
        """Its exit status, once it is reaped, or that of the template where it could not be loaded."""
        await asyncio.wait([self._making])
        if self._making.cancelled():
            return -signal.SIGKILL
        match self._making.exception():
            case None:
                status = await _reap(self._making.result())
                self._reaped = True
                return status
            case TemplateFailed(status=status):
                return status
            case TemplateLost():
                return -signal.SIGKILL
            case ServerError(message=reason) | OSError(strerror=reason):
                log.warning("process not started", reason=reason)
                return FAILED
            case error:
                raise error

    def send_signal(self, number: int) -> None:
        """One that is not there yet never will be."""
        if pid := self.pid:
            if not self._reaped:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
        elif not self._making.done():
            self._making.cancel()
            self._give_up()

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


async def _reap(pid: int) -> int:
    """Wait for a child; its exit status as subprocess gives it."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:  # Linux before 5.3
        return await _reap_by_looking(pid)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(fd, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(fd)
        os.close(fd)
    return _status(pid, 0) or 0


async def _reap_by_looking(pid: int) -> int:
    while (status := _status(pid, os.WNOHANG)) is None:  # noqa: ASYNC110 - nobody would set it
        await asyncio.sleep(LOOK)
    return status


def _status(pid: int, options: int) -> int | None:
    try:
        reaped, status = os.waitpid(pid, options)
    except ChildProcessError:  # somebody else reaped it, and knows
        return -signal.SIGKILL
    return os.waitstatus_to_exitcode(status) if reaped else None
