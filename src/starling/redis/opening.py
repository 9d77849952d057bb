"""How a Redis is opened: addresses, credentials, TLS, time limits, and whether Starling can work there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import EqualJitterBackoff
from redis.exceptions import AuthenticationError, AuthorizationError, NoPermissionError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from starling.core.errors import InvalidOption
from starling.telemetry.logs import get_logger

log = get_logger(__name__)

OLDEST: Final = (6, 2)
"""The first version that trims streams by id, and has XAUTOCLAIM."""

ATTEMPT: Final = 5.0
"""Seconds after which one attempt has failed."""

FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 2.0
"""Seconds between two attempts to reach a Redis that is away, at first and at last."""

_PAUSES: Final = EqualJitterBackoff(LONGEST_PAUSE, FIRST_PAUSE)
_LONGEST_AFTER: Final = 16
"""Failures after which pauses grow no more; more than that need not be counted."""

_PLACE: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]*)(:\d+)?(/.*)?")
"""What stands in a URL behind the credentials and before any options."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """``url``: as ``redis://user:password@host:6379/0``, ``rediss://`` with TLS or ``unix:///path``; options of the client follow
    a question mark, such as ``?ssl_ca_certs=PATH``.

    ``setting``: where it was said; ``holds``: what would be lost with it: both for people to read. ``client``: what it is called
    at Redis. ``attempts``: how often the client itself tries again what failed, each within ``ATTEMPT`` seconds; None where who
    asks sees to both.
    """

    url: str
    setting: str
    holds: str
    client: str
    attempts: int | None = None

    @property
    def address(self) -> str:
        """Where it leads, without credentials."""
        return redacted(self.url)


def pause_after(failures: int) -> float:
    """Seconds to wait before the next attempt; not the same for all, so that not all come back at once."""
    return float(_PAUSES.compute(min(failures, _LONGEST_AFTER)))


def open_redis(opening: Opening) -> Redis:
    """A client that has not connected yet. Raises InvalidOption."""
    keeping: dict[str, Any] = {}
    if not opening.url.startswith("unix:"):  # how to notice that the other end is gone, where it is not on this host
        keeping = {"socket_keepalive": True, "socket_connect_timeout": ATTEMPT}
    if opening.attempts is not None:
        keeping |= {"socket_timeout": ATTEMPT, "retry_on_error": [RedisConnectionError, RedisTimeoutError]}
    retry = Retry(_PAUSES, opening.attempts or 0)
    try:
        client: Redis = Redis.from_url(
            opening.url, client_name=opening.client, **({"socket_timeout": None, "retry": retry} | keeping)
        )
        if client.connection_pool.connection_kwargs.get("decode_responses"):
            raise ValueError  # noqa: TRY301 - all here reads bytes
        client.connection_pool.make_connection()  # type: ignore[no-untyped-call]  # which is where options that there are not are found
    except (ValueError, TypeError, RedisError, OSError):  # what they say quotes
        raise InvalidOption(
            f"{opening.setting} must look like redis://host:6379/0, rediss://host:6379/0 or unix:///path, "
            f"with options that the client has; got {opening.address}"
        ) from None
    return client


async def examine(client: Redis, opening: Opening) -> None:
    """Whether Starling can work there. Raises InvalidOption where it cannot, and RedisError, OSError."""
    facts = await client.info("server")
    version = tuple(int(part) for part in str(facts["redis_version"]).split(".")[:2])
    if version < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        raise InvalidOption(f"{opening.setting}: Redis there is {facts['redis_version']}; Starling needs {wanted} or later")
    policy = str((await client.info("memory")).get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        raise InvalidOption(
            f"{opening.setting}: Redis there has maxmemory-policy {policy} and would drop {opening.holds} when it is full: "
            "set it to noeviction (CONFIG SET maxmemory-policy noeviction)"
        )
    if not int((await client.info("persistence")).get("aof_enabled", 0)):
        log.warning("redis keeps no append-only file", address=opening.address, advice="appendonly yes: else a restart ends all")


def redacted(url: str) -> str:
    """``url`` without credentials and options, for people to read; less of it where it is not plain what is what."""
    scheme, _, rest = url.partition("://")
    place, *options = re.split(r"[?#]", rest, maxsplit=1)
    where = place.rpartition("@")[2]
    if not re.fullmatch(r"[a-z]+", scheme) or not _PLACE.fullmatch(where) or any("@" in it for it in options):
        return "..."
    return f"{scheme}://{where}"


def denied(error: Exception) -> bool:
    """Whether Redis does not let this client in. On a unix socket the library says so in words only."""
    if isinstance(error, AuthenticationError | AuthorizationError | NoPermissionError):
        return True
    return any(sign in str(error) for sign in ("username-password", "Authentication required", "NOAUTH", "WRONGPASS"))


def reason(error: Exception) -> str:
    """What is wrong, in words without addresses and credentials. What Redis itself answers has none."""
    if denied(error):
        return "it refuses these credentials, or wants some"
    return str(error) if isinstance(error, ResponseError) else type(error).__name__
