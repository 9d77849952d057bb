"""Who watches jobs in Redis hears of what anybody does to them."""

from __future__ import annotations

import asyncio
from typing import Final

from redis.exceptions import RedisError

from starling.jobs.redis.connection import Connection
from starling.jobs.watching import Watchers

AGAIN: Final = 1.0
"""Seconds after which changes are listened to again, when Redis was away."""

LOOK: Final = 0.2
"""Seconds between two looks whether anybody still watches, if nothing changes."""


class Listening:
    """Tells ``watchers`` of changes, as long as somebody watches."""

    def __init__(self, connection: Connection, watchers: Watchers) -> None:
        self._connection = connection
        self._watchers = watchers
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Somebody watches from now on."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._listen(), name="changes of jobs")

    async def _listen(self) -> None:
        while self._watchers.watched:
            try:
                async with self._connection.changes() as channel:
                    for job_id in self._watchers.watched:  # whatever happened before
                        self._watchers.changed(job_id)
                    while self._watchers.watched:
                        message = await channel.get_message(ignore_subscribe_messages=True, timeout=LOOK)
                        if message is not None:
                            self._watchers.changed(message["data"].decode())
            except (RedisError, OSError):
                await asyncio.sleep(AGAIN)

    async def close(self) -> None:
        """Once ``watchers`` are closed."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=2 * AGAIN)  # by itself: a connection that is cancelled may stay open
            self._task.cancel()
            await asyncio.wait([self._task])
