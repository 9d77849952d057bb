"""Who waits for something to happen to a job."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Watchers:
    """Those of one process and one event loop."""

    def __init__(self) -> None:
        self._bells: dict[str, set[asyncio.Event]] = {}
        self._closed = False

    @property
    def watched(self) -> tuple[str, ...]:
        """The jobs that somebody waits for; none once this is closed."""
        return () if self._closed else tuple(self._bells)

    def changed(self, job_id: str) -> None:
        """Wake those who wait for this job."""
        for bell in self._bells.get(job_id, ()):
            bell.set()

    @asynccontextmanager
    async def watch(self, job_id: str) -> AsyncIterator[AsyncIterator[None]]:
        """See ``JobStore.changes``. Several changes that come before anybody looks are one."""
        bell = asyncio.Event()
        self._bells.setdefault(job_id, set()).add(bell)
        try:
            yield _Rings(bell, lambda: self._closed)
        finally:
            self._bells[job_id].discard(bell)
            if not self._bells[job_id]:
                del self._bells[job_id]

    def close(self) -> None:
        """Nothing happens any more: everybody is told so once, and that was the last time."""
        self._closed = True
        for job_id in self._bells:
            self.changed(job_id)


class _Rings:
    """What ``watch`` gives. No generator: one that is left half-way would need somebody to close it."""

    def __init__(self, bell: asyncio.Event, over: Callable[[], bool]) -> None:
        self._bell = bell
        self._over = over
        bell.set()

    def __aiter__(self) -> AsyncIterator[None]:
        return self

    async def __anext__(self) -> None:
        if self._over() and not self._bell.is_set():
            raise StopAsyncIteration
        await self._bell.wait()
        self._bell.clear()
