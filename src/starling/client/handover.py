"""From a thread to asyncio, bounded: what recording and decoding threads make, one coroutine reads."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import Generic, TypeVar

Item = TypeVar("Item")

AHEAD = 4
"""Items that ``in_background`` makes before they are asked for."""


class Handover(Generic[Item]):
    """A queue with a foreign thread at one end and an asyncio reader at the other. Make it on the reader's loop.

    ``put`` and ``close`` may be called on any thread, never wait, and do no harm once the loop is gone.
    """

    def __init__(self, limit: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self._items: deque[Item] = deque()
        self._news = asyncio.Event()
        self._closed = False
        self._error: BaseException | None = None

    def put(self, item: Item) -> bool:
        """Add ``item``; False, and nothing is added, when ``limit`` items wait or it is closed."""
        if self._closed or len(self._items) >= self._limit:
            return False
        self._items.append(item)
        self._wake()
        return True

    def close(self, error: BaseException | None = None) -> None:
        """Nothing more comes. The reader gets what waits, then ``error`` or the end. Only the first close counts."""
        if not self._closed:
            self._error = error
            self._closed = True
            self._wake()

    def _wake(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody reads any more
            self._loop.call_soon_threadsafe(self._news.set)

    async def __aiter__(self) -> AsyncIterator[Item]:
        while True:
            self._news.clear()
            closed = self._closed  # read before the items: nothing is put after it is set
            while self._items:
                yield self._items.popleft()
            if closed:
                if self._error is not None:
                    raise self._error
                return
            await self._news.wait()


async def in_background(items: Iterable[Item], ahead: int = AHEAD) -> AsyncIterator[Item]:
    """``items``, made on a thread of their own, at most ``ahead`` of them in advance. What making one raises, this raises.

    The thread is a daemon and nobody waits for it: a reader that hangs on a silent pipe cannot keep the program alive.
    """
    handover: Handover[Item] = Handover(ahead)
    room = threading.Semaphore(ahead)
    wanted = threading.Event()
    wanted.set()

    def make() -> None:
        try:
            for item in items:
                room.acquire()
                if not wanted.is_set():
                    return
                handover.put(item)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the reader's
            handover.close(error)
        else:
            handover.close()

    threading.Thread(target=make, name="starling-reader", daemon=True).start()
    try:
        async for item in handover:
            room.release()
            yield item
    finally:
        wanted.clear()
        room.release()
