from __future__ import annotations

from collections.abc import Iterator

import pytest

from kafka_broker import KafkaBroker, kafka_broker
from redis_server import RedisServer


@pytest.fixture(scope="session")
def broker() -> Iterator[KafkaBroker]:
    with kafka_broker() as broker:
        yield broker


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server
