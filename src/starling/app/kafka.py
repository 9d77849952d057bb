"""Each role's side of the bus that ``bus.url`` says: Redis alone, or Kafka and Redis."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starling.app.options import max_lead
from starling.app.redis import KAFKA, KAFKA_TLS
from starling.bus.kafka.security import Security
from starling.bus.redis.link import Link
from starling.bus.redis.sides import GatewaySide, RecognizerSide
from starling.config.groups.platform import Bus
from starling.config.settings import Settings
from starling.core.errors import InvalidOption

if TYPE_CHECKING:
    from starling.bus.kafka.cluster import Cluster


@asynccontextmanager
async def kafka_cluster(settings: Settings) -> AsyncIterator[Cluster | None]:
    """A way to Kafka that was tried, None where the audio is on Redis. Raises what ``Cluster.check`` does, and InvalidOption."""
    bus = settings.bus
    if bus.url is None or not bus.url.startswith((KAFKA, KAFKA_TLS)):
        yield None
        return
    try:
        from starling.bus.kafka.cluster import Cluster, KafkaOptions  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise InvalidOption("bus.url is Kafka, whose client is missing: pip install 'starling[kafka]'") from error
    brokers = bus.url.removeprefix(KAFKA).removeprefix(KAFKA_TLS).rstrip("/")
    if not all(re.fullmatch(r"[^@/,]+:\d+", broker) for broker in brokers.split(",")):
        raise InvalidOption(
            "bus.url must look like kafka://host:9092,host:9092, or kafka+ssl:// for TLS, without credentials: "
            "these are bus.kafka_user and bus.kafka_password"
        )
    cluster = Cluster(
        KafkaOptions(
            brokers=brokers,
            topic=bus.topic,
            partitions=bus.partitions,
            acks=bus.acks.value,
            retention=bus.retention_minutes * 60.0,
            silence=bus.lease,
            security=_security(bus, tls=bus.url.startswith(KAFKA_TLS)),
        )
    )
    looking = None
    try:
        await cluster.check()
        looking = asyncio.create_task(cluster.run(), name="kafka")
        yield cluster
    finally:
        if looking is not None:
            looking.cancel()
            await asyncio.wait([looking])
        cluster.close()


def _security(bus: Bus, *, tls: bool) -> Security:
    security = Security(
        tls=tls,
        ca=bus.kafka_ca,
        cert=bus.kafka_cert,
        key=bus.kafka_key,
        mechanism=bus.kafka_sasl.value,
        user=bus.kafka_user or "",
        password=bus.kafka_password or "",
    )
    security.check()
    return security


@asynccontextmanager
async def gateway_side(
    settings: Settings, link: Link, cluster: Cluster | None, gateway: str, now: Callable[[], float]
) -> AsyncIterator[GatewaySide]:
    """For as long as the block runs."""
    lead = max_lead(settings)
    if cluster is None:
        yield GatewaySide.of(link, gateway, now, max_lead=lead)
        return
    from starling.bus.kafka import sides  # noqa: PLC0415 - an extra

    async with sides.gateway_side(link, cluster.options, gateway, now, max_lead=lead) as side:
        yield side


@asynccontextmanager
async def recognizer_side(
    link: Link, cluster: Cluster | None, recognizer: str, now: Callable[[], float], moved: Callable[[str, int], None]
) -> AsyncIterator[RecognizerSide]:
    """For as long as the block runs. ``moved``: see ``Tenure``."""
    if cluster is None:
        yield RecognizerSide.of(link, recognizer, now, moved=moved)
        return
    from starling.bus.kafka import sides  # noqa: PLC0415 - an extra

    async with sides.recognizer_side(link, cluster.options, recognizer, now, moved) as side:
        yield side
