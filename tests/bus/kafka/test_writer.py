"""What goes to Kafka goes in the order of its session, and of many sessions at once."""

from __future__ import annotations

import asyncio
from typing import Any

from bus.kafka.rig import fresh, made
from kafka_broker import KafkaBroker
from starling.bus.kafka.cluster import KafkaOptions
from starling.bus.kafka.tail import values_between
from starling.bus.kafka.writer import Writer
from starling.core.errors import ShuttingDown


def test_one_record_of_each_session_is_under_way_at_a_time(broker: KafkaBroker) -> None:
    options = fresh(broker, partitions=1)
    values = [str(number).encode() for number in range(20)]

    async def scenario() -> tuple[list[bytes], list[bytes]]:
        await made(options)
        writer = Writer(options)
        handed: list[str] = []
        produce = writer._produce

        def watched(record: Any) -> None:
            handed.append(record.key)
            produce(record)

        writer._produce = watched  # type: ignore[method-assign]
        try:
            sent = {key: [writer.send(0, key, value) for value in values] for key in ("a", "b")}
            assert handed == ["a", "b"], "the others wait for these"
            offsets = {key: await asyncio.gather(*its) for key, its in sent.items()}
            assert all(its == sorted(its) for its in offsets.values())
            assert writer.under_way == 0
            end = max(max(its) for its in offsets.values()) + 1
            return list(values_between(options, 0, "a", 0, end)), list(values_between(options, 0, "b", 0, end))
        finally:
            await writer.close()

    assert asyncio.run(scenario()) == (values, values)


def test_who_waits_its_turn_gives_up_when_the_writer_is_closed() -> None:
    async def scenario() -> list[BaseException | int]:
        writer = Writer(KafkaOptions(brokers="127.0.0.1:1"))
        sent = [writer.send(0, "a", b"sound") for _ in range(3)]
        await writer.close()
        assert writer.under_way == 0
        return await asyncio.gather(*sent, writer.send(0, "a", b"late"), return_exceptions=True)

    assert all(isinstance(one, ShuttingDown) for one in asyncio.run(scenario()))
