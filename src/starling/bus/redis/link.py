"""The way to Redis: one for each process. It says whether it is open, and waits where it is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from logging import ERROR, INFO
from typing import Any, Final, TypeVar

from redis.asyncio.client import PubSub
from redis.commands.core import AsyncScript
from redis.exceptions import NoScriptError, RedisError, ResponseError

from starling.bus.redis.pipeline import Pipeline
from starling.core.errors import InvalidOption, ServerError, ShuttingDown, StoreUnavailable
from starling.redis.failures import code_of, passes, passing
from starling.redis.opening import ATTEMPT, LONGEST_PAUSE, Opening, denied, examine, open_redis, pause_after, reason
from starling.telemetry.logs import get_logger

log = get_logger(__name__)

T = TypeVar("T")

PROMPT: Final = 2.0
"""Seconds for which somebody waits who is not to wait."""

FAREWELL: Final = 1.0
"""Seconds that a connection gets to end in good order."""

MEMORY: Final = 2 * LONGEST_PAUSE
"""Seconds for which a refusal counts: longer than until the next attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisOptions:
    """``url``: see ``Opening``. ``setting``: where it was said, for people to read. ``prefix``: of all keys.

    ``partitions``: of the audio log, the same in every process. ``lease``: seconds after which a recognizer that gives no sign
    of life is taken for dead.
    """

    url: str
    prefix: str = "starling:"
    partitions: int = 16
    lease: float = 1.5
    setting: str = "bus.url"


class Link:
    """``up`` is None before the first attempt. ``failures``: attempts that failed. ``prompt``: seconds, see PROMPT."""

    prompt = PROMPT

    def __init__(self, options: RedisOptions) -> None:
        self.options = options
        self.prefix = options.prefix
        self.up: bool | None = None
        self.failures = 0
        self._refused: tuple[float, str] | None = None  # when it last answered that it cannot do it now, and why
        self._closed = False
        self._ended = asyncio.Event()
        self._scripts: dict[str, AsyncScript] = {}
        self._opening = Opening(url=options.url, setting=options.setting, holds="audio", client="starling")
        self._client = open_redis(self._opening)
        self._pipeline = Pipeline(self._client)

    @property
    def address(self) -> str:
        """Where it leads, without credentials."""
        return self._opening.address

    @property
    def trouble(self) -> str:
        """Why sessions are better not begun now; empty if nothing speaks against it."""
        if self.up is not True:
            return f"Redis at {self.address} does not answer"
        if self._refused is not None and asyncio.get_running_loop().time() - self._refused[0] < MEMORY:
            return f"Redis at {self.address} takes nothing now ({self._refused[1]})"
        return ""

    async def check(self) -> None:
        """Whether Starling can work there. Raises InvalidOption where it cannot, ServerError where nobody answers."""
        try:
            await asyncio.wait_for(self._check(), ATTEMPT)
        except (RedisError, OSError, TimeoutError) as error:
            setting = self.options.setting
            if denied(error):
                raise InvalidOption(f"Redis at {self.address} refuses these credentials, or wants some: see {setting}") from None
            if isinstance(error, ResponseError):
                raise ServerError(f"Redis at {self.address} cannot be used now ({reason(error)}): see {setting}") from None
            raise ServerError(
                f"Redis at {self.address} does not answer ({reason(error)}): is it running, and {setting} right?"
            ) from None
        self._note(up=True)

    async def _check(self) -> None:
        await examine(self._client, self._opening)
        partitions = self.options.partitions
        await self._client.set(f"{self.prefix}partitions", partitions, nx=True)
        agreed = int(await self._client.get(f"{self.prefix}partitions") or partitions)
        if agreed != partitions:
            raise InvalidOption(
                f"bus.partitions is {partitions} here and {agreed} in Redis at {self.address}: they must be the same everywhere; "
                "to change them, end every gateway and recognizer and delete the key partitions"
            )

    async def run(self, script: str, *args: str | bytes | float, urgent: bool = False) -> Any:
        """What ``script`` answers, however long Redis is away. ``urgent``: by itself, before all that wait.

        Raises ShuttingDown once the link is closed.
        """
        registered = self._scripts.get(script)
        if registered is None:
            registered = self._scripts[script] = self._client.register_script(script)
        if urgent:
            return await self.patiently(lambda: registered(keys=(), args=(self.prefix, *args)))

        async def attempt() -> Any:
            try:
                return await self._pipeline.ask("EVALSHA", registered.sha, 0, self.prefix, *args)
            except NoScriptError:  # Redis was restarted
                await self._pipeline.ask("SCRIPT LOAD", script)
                return await self._pipeline.ask("EVALSHA", registered.sha, 0, self.prefix, *args)

        return await self.patiently(attempt)

    async def promptly(self, script: str, *args: str | bytes | float) -> Any:
        """As ``run``, if Redis answers now: for what somebody waits for. Raises StoreUnavailable if it does not."""
        if self.up is not False:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.prompt):
                    return await self.run(script, *args, urgent=True)
        raise StoreUnavailable("what the gateways of this server have in common cannot be asked for now: try again in a moment")

    async def command(self, *args: str | bytes | int) -> Any:
        """One command, as ``run``."""
        return await self.patiently(lambda: self._pipeline.ask(*args))

    async def tell(self, channel: str, message: bytes) -> None:
        """Publish ``message``, if that is possible now."""
        with passing():
            await self._attempt(lambda: self._client.publish(self.prefix + channel, message), ATTEMPT)

    async def read(self, streams: dict[Any, Any], *, block: int, count: int) -> Sequence[tuple[bytes, Sequence[Any]]]:
        """What is new in ``streams``, by their last ids known; waits ``block`` milliseconds for it, 0 does not wait."""
        waiting = block or None
        answer = await self.patiently(
            lambda: self._client.xread(streams, count=count, block=waiting),
            ATTEMPT + block / 1000,
        )
        return answer or ()

    async def patiently(self, attempt: Callable[[], Awaitable[T]], limit: float = ATTEMPT) -> T:
        """Try until it works. Raises ShuttingDown when the link is closed meanwhile, and what will be Redis's answer for ever."""
        failures = 0
        while True:
            if self._closed:
                raise ShuttingDown("the connection to Redis is closed; connect again")
            try:
                return await self._attempt(attempt, limit)
            except Exception as error:
                if not passes(error) and not self._closed:  # what a closed one is asked fails in any way
                    raise
            await self._pause(pause_after(failures))
            failures += 1

    async def _attempt(self, attempt: Callable[[], Awaitable[T]], limit: float) -> T:
        try:
            async with asyncio.timeout(limit):
                answer = await attempt()
        except ResponseError as error:
            self._note(up=True)
            if passes(error):
                self.failures += 1
                self._refused = asyncio.get_running_loop().time(), code_of(error)
            raise
        except Exception as error:
            if passes(error):
                self._note(up=False)
            raise
        self._note(up=True)
        return answer

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            pass

    def _note(self, *, up: bool) -> None:
        self.failures += not up
        if up != self.up and not self._closed:
            if self.up is not None:
                log.log(INFO if up else ERROR, "redis is back" if up else "redis is away", address=self.address)
            self.up = up

    @asynccontextmanager
    async def channels(self, *names: str) -> AsyncIterator[PubSub]:
        """A connection that hears what is published there. Raises RedisError, OSError."""
        pubsub = self._client.pubsub()
        try:
            await pubsub.subscribe(*(self.prefix + name for name in names))
            yield pubsub
        finally:
            if pubsub.connection is not None:
                await pubsub.connection.disconnect(nowait=True)  # else it waits for an end that may not come
            await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        """Whoever waits for Redis gives up, and Redis is left as it is."""
        self._closed = True
        self._ended.set()
        with passing():
            async with asyncio.timeout(FAREWELL):
                await self._client.aclose()
