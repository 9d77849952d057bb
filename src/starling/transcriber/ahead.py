"""Reading ahead: a recording is decoded on a thread of its own while models compute what came before."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None


class _Ahead(Generic[T]):
    def __init__(self, items: Iterable[T], depth: int) -> None:
        self._items = items
        self._queue: queue.Queue[T | _End] = queue.Queue(depth)
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._read, name="read ahead", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        error = None
        try:
            for item in self._items:
                if not self._put(item):
                    break
        except BaseException as raised:  # noqa: BLE001 - it is raised where the items are wanted
            error = raised
        self._put(_End(error))

    def _put(self, item: T | _End) -> bool:
        while not self._left.is_set():
            try:
                self._queue.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def read(self) -> Iterator[T]:
        while not isinstance(item := self._queue.get(), _End):
            yield item
        if item.error is not None:
            raise item.error

    def close(self) -> None:
        """Returns once nobody reads ``items`` any more."""
        self._left.set()
        self._thread.join()


@contextmanager
def ahead(items: Iterable[T], *, depth: int) -> Iterator[Iterator[T]]:
    """``items``, up to ``depth`` of them read before they are wanted. What they raise is raised after those before it.

    When the block ends nobody reads ``items`` any more, so what they come from may be closed.
    """
    reading = _Ahead(items, depth)
    try:
        yield reading.read()
    finally:
        reading.close()
