"""How many may do something at once: one of them waits, streams or uploads for as long as it likes, so they are counted."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from starling.core.errors import Overloaded, QuotaExceeded

SHARE = 4
"""One tenant has at most one place in so many, where there are so many."""


class Places:
    """``most`` at once of ``what``, of which one tenant may have a quarter unless nobody else could."""

    def __init__(self, what: str, most: int, *, retry_after: float, shared: bool) -> None:
        self._what = what
        self._most = most
        self._each = max(1, most // SHARE) if shared else most
        self._retry_after = retry_after
        self._taken: Counter[str] = Counter()
        self._free = asyncio.Event()
        self._free.set()

    @property
    def taken(self) -> int:
        """How many there are now."""
        return self._taken.total()

    @contextmanager
    def held(self, tenant: str) -> Iterator[None]:
        """Hold a place while the block runs. Raises Overloaded and QuotaExceeded."""
        if self.taken >= self._most:
            raise Overloaded(f"{self._most} {self._what} at once are all that fit", gate="gateway", retry_after=self._retry_after)
        if self._taken[tenant] >= self._each:
            raise QuotaExceeded(
                f"tenant {tenant} has {self._each} {self._what} at once, which is its limit",
                gate="tenant",
                retry_after=self._retry_after,
            )
        self._taken[tenant] += 1
        self._free.clear()
        try:
            yield
        finally:
            self._taken[tenant] -= 1
            if not self._taken[tenant]:
                del self._taken[tenant]
            if not self._taken:
                self._free.set()

    async def vacated(self) -> None:
        """Wait until nobody has one."""
        await self._free.wait()
