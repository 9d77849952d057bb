"""What a member of the group reads, whatever is taken from it and given back meanwhile."""

from __future__ import annotations

import asyncio
from typing import NoReturn, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from bus.kafka.rig import OneProcessKafkaLog, OnKafka
from contracts.audio_log_contract import LEAD, audio, fill, opened, plain, replayed
from starling.bus.kafka.cluster import KafkaOptions
from starling.bus.kafka.group import Group
from starling.core.records import Record
from virtual_time import run


class TestGroup(OnKafka):
    def test_what_waits_when_its_partition_is_begun_again_hides_nothing_before_it(self) -> None:
        async def scenario() -> None:
            log = self.kafka_log(LEAD)
            assert isinstance(log, OneProcessKafkaLog)
            records: list[Record] = [opened(), audio(0, 100, 0), audio(100, 200, 1)]
            await fill(log, records)
            assert [plain(record) for record in await replayed(log)] == [plain(record) for record in records]
            records.append(audio(200, 300, 2))
            await log.append(records[-1])
            while not log.group._arrived:  # noqa: ASYNC110 - its thread
                await asyncio.sleep(0.01)
            assert [plain(record) for record in await replayed(log)] == [plain(record) for record in records]

        self.run(scenario())


class Ending:
    """A consumer that is being closed."""

    def _refuse(self, *_: object) -> NoReturn:
        raise KafkaException(KafkaError(KafkaError._DESTROY))

    assignment = incremental_assign = incremental_unassign = pause = _refuse


def test_a_consumer_that_calls_back_while_it_is_closed_hears_no_exception() -> None:
    async def scenario() -> None:
        group = Group(KafkaOptions(brokers="127.0.0.1:1"))
        consumer = cast("Consumer", Ending())
        for call in (group._assign, group._revoke):
            group.changed.clear()
            call(consumer, [TopicPartition("audio", 1)])
            await group.changed.wait()
            assert group.assigned == frozenset()

    run(scenario())
