"""What gateways and recognizers on Redis have in common: the way there, and whether it is open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from starling.bus.redis.link import Link, RedisOptions
from starling.config.settings import Settings
from starling.core.errors import InvalidOption
from starling.telemetry.health import Health, State
from starling.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from starling.bus.kafka.cluster import Cluster

LOOK: Final = 0.25
"""Seconds between two looks at how things are."""

KAFKA: Final = "kafka://"
KAFKA_TLS: Final = "kafka+ssl://"
"""How a ``bus.url`` begins where Kafka carries the audio, and where that is encrypted."""

BUS: Final = "bus"
"""The component of ``Health`` that says whether Redis answers."""


def redis_options(settings: Settings) -> RedisOptions:
    """Raises InvalidOption where there is no Redis among the settings."""
    bus = settings.bus
    url = bus.url
    if url is None:
        raise InvalidOption("bus.url is not set: say which Redis gateways and recognizers share, as --bus redis://host:6379/0")
    name = "bus.url"
    if url.startswith((KAFKA, KAFKA_TLS)):
        name, url = "bus.store", bus.store
        if url is None:
            raise InvalidOption("bus.store is not set: say which Redis there is beside Kafka, as --store redis://host:6379/0")
    elif bus.store is not None:
        raise InvalidOption("bus.store is for a bus.url that begins with kafka://; on Redis that one carries everything")
    if url.partition(":")[0] not in {"redis", "rediss", "unix"}:
        raise InvalidOption(
            f"{name} must begin with redis://, rediss:// or unix://" + ", or kafka:// or kafka+ssl://" * (name == "bus.url")
        )
    return RedisOptions(url=url, prefix=bus.prefix, partitions=bus.partitions, lease=bus.lease, setting=name)


@asynccontextmanager
async def redis_link(settings: Settings) -> AsyncIterator[Link]:
    """A way to Redis that was tried. Raises what ``Link.check`` does."""
    link = Link(redis_options(settings))
    try:
        await link.check()
        yield link
    finally:
        await link.close()


async def watch_link(link: Link, health: Health, metrics: Metrics, cluster: Cluster | None = None) -> None:
    """Say in ``health`` whether sessions can be begun, for ever."""
    counted = 0
    while True:
        failures = link.failures + (0 if cluster is None else cluster.failures)
        metrics.bus_failures.inc(failures - counted)
        counted = failures
        trouble = link.trouble or ("" if cluster is None else cluster.trouble)
        health.set(BUS, State.STARTING if trouble else State.OK, trouble)
        await asyncio.sleep(LOOK)


def redis_facts(link: Link, cluster: Cluster | None = None) -> dict[str, Any]:
    """What ``/status`` says of it."""
    facts = {"address": link.address, "up": not link.trouble, "failures": link.failures, "partitions": link.options.partitions}
    if cluster is None:
        return facts
    return facts | {"kafka": {"address": cluster.address, "up": not cluster.trouble, "failures": cluster.failures}}
