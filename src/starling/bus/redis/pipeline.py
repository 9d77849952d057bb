"""Commands of many tasks on their way to Redis: those of one turn of the loop go together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from copy import copy
from typing import Any, Final, TypeAlias

from redis.asyncio import Redis
from redis.exceptions import RedisError

from starling.redis.opening import ATTEMPT

Command: TypeAlias = tuple[str | bytes | float, ...]

TOGETHER: Final = 64
"""Commands that go to Redis at once, at most."""


class Pipeline:
    """Asks ``redis`` what it is given, in that order, and tries nothing twice."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._queue: deque[tuple[Command, asyncio.Future[Any]]] = deque()
        self._sending: asyncio.Task[None] | None = None

    def ask(self, *command: str | bytes | float) -> asyncio.Future[Any]:
        """The answer to ``command``, which goes out with all that others have to say in this turn of the loop."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._queue.append((command, future))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send(), name="redis")
        return future

    async def _send(self) -> None:
        try:
            await asyncio.sleep(0)
            while batch := self._next_batch():
                answers = await self._exchange([command for command, _ in batch])
                for (_, future), answer in zip(batch, answers, strict=True):
                    if future.done():  # nobody waits any more
                        continue
                    if isinstance(answer, Exception):
                        future.set_exception(answer)
                    else:
                        future.set_result(answer)
        finally:
            self._sending = None

    def _next_batch(self) -> list[tuple[Command, asyncio.Future[Any]]]:
        """What goes out next, less what nobody waits for any more: while Redis hangs, that would gather without a bound."""
        batch: list[tuple[Command, asyncio.Future[Any]]] = []
        while self._queue and len(batch) < TOGETHER:
            queued = self._queue.popleft()
            if not queued[1].done():
                batch.append(queued)
        return batch

    async def _exchange(self, commands: Sequence[Command]) -> Sequence[Any]:
        """The answer to each, or the error it met."""
        pipeline = self._redis.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        try:
            async with asyncio.timeout(ATTEMPT):
                return await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError, TimeoutError, RuntimeError) as error:
            return [copy(error) for _ in commands]
