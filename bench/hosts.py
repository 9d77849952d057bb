"""The platform with its roles apart, on servers of its own: Redis, and Kafka where the audio is to be there.

Servers and roles are those that the tests start: ``tests/redis_server.py``, ``tests/kafka_broker.py``, ``tests/chaos``.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))

from chaos.networks import Cut, NotPermitted, wired
from chaos.parted import PARTITIONS, parted
from chaos.roles_harness import Apart, Role, apart
from kafka_broker import QUICK, KafkaBroker
from maven import JarsMissing
from redis_server import RedisServer

__all__ = [
    "PARTITIONS",
    "Apart",
    "Bus",
    "Cut",
    "Hosts",
    "KafkaBroker",
    "NotPermitted",
    "RedisServer",
    "Role",
    "hosts",
    "kafka_server",
    "parted",
    "wired",
]


class Bus(StrEnum):
    """What is between gateways and recognizers. ``SHM``: shared memory, on one host."""

    SHM = "shm"
    REDIS = "redis"
    KAFKA = "kafka"


@dataclass(frozen=True, slots=True)
class Hosts:
    """What runs. ``broker``: None where Redis carries the audio too."""

    roles: Apart
    redis: RedisServer
    broker: KafkaBroker | None


def kafka_server(*settings: str, java: Sequence[str] = QUICK) -> KafkaBroker:
    """A broker that is not started. ``settings``: further ones, as ``name=value``. ``java``: what that is told. Raises SystemExit
    where there can be none.
    """
    try:
        return KafkaBroker(*settings, java=java)
    except JarsMissing as reason:
        raise SystemExit(str(reason)) from None


@asynccontextmanager
async def hosts(
    bus: Bus, *, gateways: int, recognizers: int, settings: Sequence[str] = (), broker_settings: Sequence[str] = ()
) -> AsyncIterator[Hosts]:
    """So many of each on a Redis and, for ``Bus.KAFKA``, on a Kafka, all ready. ``settings``: environment variables as
    ``NAME=VALUE``. ``broker_settings``: of Kafka, as ``name=value``.
    """
    environment = {
        "STARLING_SERVER__MAX_SESSIONS": "2000",
        "STARLING_SERVER__MAX_SESSIONS_PER_ADDRESS": "2000",
        "STARLING_JOBS__WORKERS": "0",
        **dict(setting.split("=", 1) for setting in settings),
    }
    with ExitStack() as servers:
        redis = await asyncio.to_thread(servers.enter_context, RedisServer())
        broker = None
        if bus is Bus.KAFKA:
            broker = await asyncio.to_thread(servers.enter_context, kafka_server(*broker_settings))
            environment |= {"STARLING_BUS__URL": broker.url, "STARLING_BUS__STORE": redis.url}
        async with apart(redis, gateways=gateways, recognizers=recognizers, settings=environment) as roles:
            yield Hosts(roles, redis, broker)
