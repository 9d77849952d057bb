"""What gateways and recognizers on Redis have in common: the way there, and whether it is open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starling.bus.redis.link import Link, RedisOptions
from starling.config.settings import Settings
from starling.core.errors import InvalidOption
from starling.telemetry.health import Health, State

BUS = "bus"
"""The component of ``Health`` that says whether Redis answers."""


def redis_options(settings: Settings) -> RedisOptions:
    """Raises InvalidOption where there is no Redis among the settings."""
    bus = settings.bus
    if bus.url is None:
        raise InvalidOption("bus.url is not set: say which Redis gateways and recognizers share, as --bus redis://host:6379/0")
    if bus.url.partition(":")[0] not in {"redis", "rediss", "unix"}:
        raise InvalidOption("bus.url must begin with redis://, rediss:// or unix://")
    return RedisOptions(url=bus.url, prefix=bus.prefix, partitions=bus.partitions, lease=bus.lease)


@asynccontextmanager
async def redis_link(settings: Settings, health: Health) -> AsyncIterator[Link]:
    """A way to Redis that was tried, and that ``health`` hears of. Raises what ``Link.check`` does."""

    def changed() -> None:
        if health[BUS].state is not State.DRAINING:
            health.set(BUS, *((State.OK, "") if link.up else (State.STARTING, f"Redis at {link.address} does not answer")))

    link = Link(redis_options(settings), changed=changed)
    try:
        await link.check()
        yield link
    finally:
        await link.close()


def redis_facts(link: Link) -> dict[str, Any]:
    """What ``/status`` says of it."""
    return {"address": link.address, "up": link.up is True, "failures": link.failures, "partitions": link.options.partitions}
