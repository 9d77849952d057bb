"""What is written together: all that came while the batch before was under way."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from starling.core.errors import ShuttingDown

T = TypeVar("T")


@dataclass(slots=True)
class _Batch(Generic[T]):
    """``written`` is for all of it, so that nobody waits for others than those it goes with."""

    written: asyncio.Future[None]
    items: list[T] = field(default_factory=list)


class Batches(Generic[T]):
    """``write`` is given what came, in order, one batch after the other, each of at most ``most``."""

    def __init__(self, write: Callable[[Sequence[T]], Awaitable[None]], most: int) -> None:
        self._write = write
        self._most = most
        self._waiting: deque[_Batch[T]] = deque()
        self._writing: asyncio.Task[None] | None = None

    def add(self, item: T) -> asyncio.Future[None]:
        """It will be written, whether or not anybody waits for what this returns: shield that. It has what ``write`` raised."""
        if not self._waiting or len(self._waiting[-1].items) == self._most:
            self._waiting.append(_Batch(asyncio.get_running_loop().create_future()))
        batch = self._waiting[-1]
        batch.items.append(item)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all(), name="batches")
        return batch.written

    async def _write_all(self) -> None:
        try:
            await asyncio.sleep(0)  # whoever else has something in this turn of the loop
            while self._waiting:
                batch = self._waiting.popleft()
                try:
                    await self._write(batch.items)
                except Exception as error:  # noqa: BLE001 - it is theirs who wait
                    _fail(batch, error)
                    if isinstance(error, ShuttingDown):
                        while self._waiting:
                            _fail(self._waiting.popleft(), error)
                else:
                    batch.written.set_result(None)
        finally:
            self._writing = None


def _fail(batch: _Batch[T], error: Exception) -> None:
    batch.written.set_exception(error)
    batch.written.exception()  # perhaps nobody waits
