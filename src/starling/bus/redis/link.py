"""The way to Redis: one for each process. It says whether it is open, and waits where it is not."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from logging import ERROR, INFO
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from starling.core.errors import InvalidOption, ServerError, ShuttingDown, StoreUnavailable
from starling.telemetry.logs import get_logger

log = get_logger(__name__)

T = TypeVar("T")

OLDEST: Final = (6, 2)
"""The first version that trims streams by id."""

FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 2.0
"""Seconds between two attempts to reach a Redis that is away, at first and at last."""

TOGETHER: Final = 64
"""Commands that go to Redis at once, at most."""

ATTEMPT: Final = 5.0
"""Seconds after which one attempt has failed."""

PROMPT: Final = 2.0
"""Seconds for which somebody waits who is not to wait."""

MEMORY: Final = 2 * LONGEST_PAUSE
"""Seconds for which a refusal counts: longer than until the next attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisOptions:
    """``url``: as ``redis://user:password@host:6379/0``, ``rediss://`` with TLS or ``unix:///path``. ``prefix``: of all keys.

    ``partitions``: of the audio log, the same in every process. ``lease``: seconds after which a recognizer that gives no sign
    of life is taken for dead.
    """

    url: str
    prefix: str = "starling:"
    partitions: int = 16
    lease: float = 1.5


def redacted(url: str) -> str:
    """``url`` without its credentials, for people to read."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


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
        self._queue: deque[tuple[tuple[str | bytes | float, ...], asyncio.Future[Any]]] = deque()
        self._sending: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        self._scripts: dict[str, AsyncScript] = {}
        try:
            self._client: Redis = Redis.from_url(
                options.url, socket_timeout=None, retry=Retry(NoBackoff(), 0), client_name="starling", **_keeping(options.url)
            )
        except ValueError as error:
            raise InvalidOption(f"bus.url must look like redis://host:6379/0; got {redacted(options.url)}") from error

    @property
    def address(self) -> str:
        """Where it leads, without credentials."""
        return redacted(self.options.url)

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
            if _denied(error):
                raise InvalidOption(f"Redis at {self.address} refuses these credentials, or wants some: see bus.url") from None
            reason = type(error).__name__
            raise ServerError(f"Redis at {self.address} does not answer ({reason}): is it running, and bus.url right?") from None
        self._note(up=True)

    async def _check(self) -> None:
        facts = await self._client.info("server")
        version = tuple(int(part) for part in str(facts["redis_version"]).split(".")[:2])
        if version < OLDEST:
            wanted = ".".join(map(str, OLDEST))
            raise InvalidOption(f"Redis at {self.address} is {facts['redis_version']}; Starling needs {wanted} or later")
        memory = await self._client.info("memory")
        policy = str(memory.get("maxmemory_policy", "noeviction"))
        if policy != "noeviction":
            raise InvalidOption(
                f"Redis at {self.address} has maxmemory-policy {policy} and would drop audio when it is full: "
                "set it to noeviction (CONFIG SET maxmemory-policy noeviction)"
            )
        persistence = await self._client.info("persistence")
        if not int(persistence.get("aof_enabled", 0)):
            log.warning("redis keeps no append-only file", address=self.address, advice="appendonly yes: else a restart ends all")
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
                return await self._queued("EVALSHA", registered.sha, 0, self.prefix, *args)
            except NoScriptError:  # Redis was restarted
                await self._queued("SCRIPT LOAD", script)
                return await self._queued("EVALSHA", registered.sha, 0, self.prefix, *args)

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
        return await self.patiently(lambda: self._queued(*args))

    def _queued(self, *command: str | bytes | float) -> asyncio.Future[Any]:
        """The answer to ``command``, which goes out with all that others have to say in this turn of the loop."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._queue.append((command, future))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send(), name="redis")
        return future

    async def _send(self) -> None:
        try:
            await asyncio.sleep(0)
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(TOGETHER, len(self._queue)))]
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

    async def _exchange(self, commands: Sequence[tuple[str | bytes | float, ...]]) -> Sequence[Any]:
        """The answer to each, or the error it met."""
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        try:
            async with asyncio.timeout(ATTEMPT):
                return await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError, TimeoutError) as error:
            return [type(error)(*error.args) for _ in commands]

    async def tell(self, channel: str, message: bytes) -> None:
        """Publish ``message``, if that is possible now."""
        with suppress(RedisError, OSError, TimeoutError):
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
        """Try until it works. Raises ShuttingDown when the link is closed meanwhile, and what is Redis's answer."""
        pause = FIRST_PAUSE
        while True:
            if self._closed:
                raise ShuttingDown("the connection to Redis is closed; connect again")
            try:
                return await self._attempt(attempt, limit)
            except ResponseError as error:
                if not _passes(error):
                    raise
            except (RedisError, OSError, TimeoutError):
                pass
            await self._pause(pause * random.uniform(0.5, 1.0))  # noqa: S311 - so that not all come back at once
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _attempt(self, attempt: Callable[[], Awaitable[T]], limit: float) -> T:
        try:
            async with asyncio.timeout(limit):
                answer = await attempt()
        except ResponseError as error:
            self._note(up=True)
            if _passes(error):
                self.failures += 1
                self._refused = asyncio.get_running_loop().time(), type(error).__name__
            raise
        except (RedisError, OSError, TimeoutError):
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
            await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        """Whoever waits for Redis gives up."""
        self._closed = True
        self._ended.set()
        await self._client.aclose()


def _keeping(url: str) -> dict[str, Any]:
    """How to notice that the other end of a connection is gone, where it is not on this host."""
    return {} if url.startswith("unix:") else {"socket_keepalive": True, "socket_connect_timeout": ATTEMPT}


def _denied(error: Exception) -> bool:
    """Whether Redis does not let this client in. On a unix socket the library says so in words only."""
    if isinstance(error, AuthenticationError | AuthorizationError | NoPermissionError):
        return True
    return any(sign in str(error) for sign in ("username-password", "Authentication required", "NOAUTH", "WRONGPASS"))


def _passes(error: ResponseError) -> bool:
    """Whether it is of the kind that goes by: Redis loads its data, is a replica for now, or is out of memory."""
    if isinstance(error, OutOfMemoryError | ReadOnlyError):
        return True
    return str(error).split(" ")[0] in {"LOADING", "MISCONF", "MASTERDOWN", "TRYAGAIN", "BUSY", "NOREPLICAS"}
