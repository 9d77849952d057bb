"""The broker that the other tests stand on."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from confluent_kafka.admin import AdminClient

from bus.kafka.rig import fresh
from kafka_broker import KafkaBroker
from starling.bus.kafka.cluster import Cluster


def test_it_answers(broker: KafkaBroker) -> None:
    known = AdminClient({"bootstrap.servers": broker.address}).list_topics(timeout=60)
    assert list(known.brokers) == [1]


@pytest.mark.parametrize(("asked", "agreed"), [(1.5, 6.0), (10.0, 10.0)])
def test_nobody_is_taken_for_dead_sooner_than_it_allows(broker: KafkaBroker, asked: float, agreed: float) -> None:
    async def scenario() -> float:
        cluster = Cluster(replace(fresh(broker), silence=asked))
        await cluster.check()
        cluster.close()
        return cluster.options.silence

    assert asyncio.run(scenario()) == agreed
