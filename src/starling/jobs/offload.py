"""Calls that block, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

T = TypeVar("T")


class Offload(Protocol):
    """Runs one call, and answers what it answered."""

    def __call__(self, call: Callable[[], T], /) -> Awaitable[T]: ...


class OneThread:
    """An ``Offload`` on a thread of its own: calls follow each other, and are finished even if nobody waits for them any more."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def __call__(self, call: Callable[[], T], /) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    def close(self) -> None:
        """Wait for the last call, and end the thread."""
        self._thread.shutdown()
