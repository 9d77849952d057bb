"""Notary in memory: of one gateway, or of several that share a process, in tests for instance."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable


class MemoryNotary:
    """``now``: monotonic seconds; ``root``: what is signed with, empty for nothing yet.

    What was used is forgotten in time, so there is no more of it than clients were let in.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic, root: bytes = b"") -> None:
        self._now = now
        self._root = root
        self._spent: OrderedDict[str, float] = OrderedDict()  # by when each is forgotten

    async def root(self, fresh: bytes) -> bytes:
        self._root = self._root or fresh
        return self._root

    async def spend(self, number: str, seconds: int, root: bytes) -> bool:
        now = self._now()
        while self._spent and next(iter(self._spent.values())) <= now:
            self._spent.popitem(last=False)
        if root != self._root or number in self._spent:
            return False
        self._spent[number] = now + seconds
        return True
