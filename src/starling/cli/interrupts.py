"""Ctrl-C and SIGTERM: the first asks to end, the second insists. SIGHUP asks a server to read its settings anew."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starling.telemetry.logs import get_logger

log = get_logger(__name__)


@contextmanager
def interrupts(echo: float = 0.0) -> Iterator[asyncio.Event]:
    """An event that the first SIGINT or SIGTERM sets. A second SIGINT raises KeyboardInterrupt, a second SIGTERM kills.

    ``echo``: seconds within which the second is taken for the first, where a parent passes on what may have come here too.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM)

    def release() -> None:
        for number in signals:
            loop.remove_signal_handler(number)

    def interrupt() -> None:
        if not stop.is_set():
            stop.set()
            loop.call_later(echo, release) if echo else release()

    for number in signals:
        loop.add_signal_handler(number, interrupt)
    try:
        yield stop
    finally:
        release()


@contextmanager
def hangups(act: Callable[[], None]) -> Iterator[None]:
    """Call ``act`` on each SIGHUP, which ends a program that says nothing else."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, act)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


def cannot_reload() -> None:
    """Say so, where SIGHUP changes nothing."""
    log.warning("settings not reloaded", reason="this process reads its settings when it starts: restart it")
