"""The broker that the other tests stand on."""

from __future__ import annotations

from confluent_kafka.admin import AdminClient

from kafka_broker import KafkaBroker


def test_it_answers(broker: KafkaBroker) -> None:
    known = AdminClient({"bootstrap.servers": broker.address}).list_topics(timeout=60)
    assert list(known.brokers) == [1]
