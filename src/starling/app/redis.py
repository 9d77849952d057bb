"""What gateways and recognizers on Redis have in common: the way there, and whether it is open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from starling.bus.redis.link import Link, RedisOptions
from starling.config.settings import Settings
from starling.core.errors import InvalidOption
from starling.telemetry.health import Health, State
from starling.telemetry.metrics import Metrics

LOOK: Final = 0.25
"""Seconds between two looks at how things are."""

BUS: Final = "bus"
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
async def redis_link(settings: Settings) -> AsyncIterator[Link]:
    """A way to Redis that was tried. Raises what ``Link.check`` does."""
    link = Link(redis_options(settings))
    try:
        await link.check()
        yield link
    finally:
        await link.close()


async def watch_link(link: Link, health: Health, metrics: Metrics) -> None:
    """Say in ``health`` whether sessions can be begun, for ever."""
    counted = 0
    while True:
        metrics.bus_failures.inc(link.failures - counted)
        counted = link.failures
        trouble = link.trouble
        health.set(BUS, State.STARTING if trouble else State.OK, trouble)
        await asyncio.sleep(LOOK)


def redis_facts(link: Link) -> dict[str, Any]:
    """What ``/status`` says of it."""
    return {"address": link.address, "up": not link.trouble, "failures": link.failures, "partitions": link.options.partitions}
