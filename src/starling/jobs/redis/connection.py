"""The way to Redis: commands and scripts, tried again while it is away for a moment."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar, cast

import msgspec
from redis.asyncio.client import PubSub
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError, ResponseError

from starling.core.errors import StoreUnavailable
from starling.jobs.redis.scripts import COMMIT, GROUP
from starling.jobs.redis.writing import Command
from starling.redis.opening import Opening, examine, open_redis, reason

T = TypeVar("T")

ATTEMPTS: Final = 7
"""How often something is tried again, within about 5 seconds."""


class Connection:
    """``url``: see ``Opening``. ``prefix``: of all keys.

    Every method raises StoreUnavailable.
    """

    def __init__(self, url: str, prefix: str) -> None:
        self._prefix = prefix
        self._scripts: dict[str, AsyncScript] = {}
        self._checked = False
        self._opening = Opening(url=url, setting="jobs.store", holds="jobs", client="starling-jobs", attempts=ATTEMPTS)
        self._redis = open_redis(self._opening)

    def key(self, name: str) -> str:
        """The whole of it."""
        return self._prefix + name

    async def run(self, command: str, name: str, *arguments: str | bytes | float) -> Any:
        """``command`` on the key ``name``."""
        execute: Any = self._redis.execute_command
        return await self._answer(execute(command, self._prefix + name, *arguments))

    async def read(self, commands: Sequence[tuple[str | float, ...]]) -> list[Any]:
        """What each of ``commands`` answers, at one moment. The second word is the key."""
        if not commands:
            return []
        async with self._redis.pipeline(transaction=True) as pipeline:
            for command, name, *arguments in commands:
                cast("Any", pipeline).execute_command(command, f"{self._prefix}{name}", *arguments)
            return list(await self._answer(pipeline.execute()))

    async def script(self, text: str, *arguments: str | bytes | float) -> Any:
        """What the script ``text`` answers; its first argument is the prefix."""
        await self._check()
        if text not in self._scripts:
            self._scripts[text] = self._redis.register_script(text)
        return await self._answer(self._scripts[text](keys=(), args=(self._prefix, *arguments)))

    async def commit(self, job_id: str, conditions: Sequence[Command], steps: Sequence[Command]) -> int:
        """See COMMIT."""
        stamp = secrets.token_hex(8)
        return int(await self.script(COMMIT, job_id, stamp, msgspec.msgpack.encode((conditions, steps))))

    @asynccontextmanager
    async def changes(self) -> AsyncIterator[PubSub]:
        """The ids of jobs that were changed. Raises RedisError and OSError."""
        pubsub = self._redis.pubsub()
        try:
            await pubsub.subscribe(self._prefix + "changes")
            yield pubsub
        finally:
            await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def drop_consumers(self, idle: float) -> None:
        """Forget those of the group that have nothing, and gave no sign for ``idle`` seconds: names of processes that ended."""
        stream = self._prefix + "running"
        try:
            for consumer in await self._redis.xinfo_consumers(stream, GROUP):
                if not consumer["pending"] and consumer["idle"] > 1000 * idle:
                    await self._redis.xgroup_delconsumer(stream, GROUP, consumer["name"])
        except ResponseError:
            return  # nobody has claimed anything yet
        except (RedisError, OSError) as error:
            raise _away(error) from error

    async def close(self) -> None:
        await self._redis.aclose()

    async def _check(self) -> None:
        """Once: whether Starling can work there."""
        if self._checked:
            return
        await self._answer(examine(self._redis, self._opening))
        self._checked = True

    async def _answer(self, asked: Awaitable[T]) -> T:
        try:
            return await asked
        except (RedisError, OSError) as error:
            raise _away(error) from error


def _away(error: Exception) -> StoreUnavailable:
    """Without its address, for clients read this."""
    return StoreUnavailable(f"the jobs cannot be read or written now: Redis, {reason(error)}")
