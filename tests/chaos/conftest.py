from __future__ import annotations

from collections.abc import Iterator

import pytest

from kafka_broker import KafkaBroker, kafka_broker
from redis_server import RedisServer


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="module")
def broker() -> Iterator[KafkaBroker]:
    with kafka_broker() as broker:
        yield broker
