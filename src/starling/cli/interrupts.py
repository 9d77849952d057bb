"""Ctrl-C and SIGTERM: the first asks to end, the second insists."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupts() -> Iterator[asyncio.Event]:
    """An event that the first SIGINT or SIGTERM sets. A second SIGINT raises KeyboardInterrupt, a second SIGTERM kills."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM)

    def release() -> None:
        for number in signals:
            loop.remove_signal_handler(number)

    def interrupt() -> None:
        stop.set()
        release()

    for number in signals:
        loop.add_signal_handler(number, interrupt)
    try:
        yield stop
    finally:
        release()
