"""Kafka and Redis in one process: a gateway's and a recognizer's ends together, on real servers and in real time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from itertools import count

import pytest

from bus.one_process import OneProcessLog
from bus.redis.rig import PARTITIONS, Everything, OnRedis
from kafka_broker import KafkaBroker
from redis_server import RedisServer
from starling.bus.kafka.audio_log import KafkaGatewayAudioLog
from starling.bus.kafka.cluster import Cluster, KafkaOptions
from starling.bus.kafka.follower import KafkaRecognizerAudioLog
from starling.bus.kafka.group import Group
from starling.bus.kafka.writer import Writer
from starling.bus.memory import MemoryAudioLog
from starling.bus.redis.inbox import Inbox
from starling.bus.redis.link import Link
from starling.core.records import Followed, Record
from virtual_time import run as virtually

_NUMBERS = count()

SILENCE = 60.0
"""Seconds: nobody here is taken for dead for being slow."""


def fresh(broker: KafkaBroker, partitions: int = PARTITIONS) -> KafkaOptions:
    """A topic that nobody else has."""
    return KafkaOptions(brokers=broker.address, topic=f"audio-{next(_NUMBERS)}", partitions=partitions, silence=SILENCE)


async def made(options: KafkaOptions) -> None:
    cluster = Cluster(options)
    await cluster.check()
    cluster.close()


class OnKafka(OnRedis):
    """As ``OnRedis``, for logs that are on Kafka as well. Of a law's examples the twin in memory gets all but ``most``."""

    @pytest.fixture(autouse=True)
    def _remember_broker(self, broker: KafkaBroker, redis_server: RedisServer) -> None:
        self.server = redis_server
        self.broker = broker
        self.logs: list[OneProcessKafkaLog] = []
        self.twin = False

    def run(self, scenario: Coroutine[object, object, None]) -> None:
        async def all_of_it() -> None:
            try:
                await scenario
            finally:
                for log in self.logs:
                    await log.end()
                self.logs.clear()

        self.twin = self.examples >= self.most
        if self.twin:
            self.examples += 1
            virtually(scenario)
        else:
            super().run(all_of_it())

    async def settle(self) -> None:
        while True:
            await super().settle()
            if all(log.settled for log in self.logs):
                await super().settle()  # what was read is followed
                return
            await asyncio.sleep(0.002)

    def kafka_log(self, max_lead: int) -> OneProcessKafkaLog | MemoryAudioLog:
        if self.twin:
            return MemoryAudioLog(max_lead=max_lead)
        link = self.link()
        inbox = self.inbox(link)
        log = OneProcessKafkaLog(link, inbox, fresh(self.broker), max_lead)
        self.logs.append(log)
        self.listen(inbox)
        return log


class OneProcessKafkaLog(OneProcessLog[KafkaGatewayAudioLog, KafkaRecognizerAudioLog]):
    """On Kafka, its recognizer a member of a group, and fenced by nobody."""

    def __init__(self, link: Link, inbox: Inbox, options: KafkaOptions, max_lead: int) -> None:
        self.options = options
        self.writer = Writer(options)
        self.group = Group(options)
        super().__init__(
            KafkaGatewayAudioLog(link, inbox, options, self.writer, max_lead=max_lead),
            KafkaRecognizerAudioLog(link, Everything(), self.group),
        )
        self._ends: dict[int, int] = {}
        self._followers = 0
        self._made: asyncio.Task[None] | None = None
        send = self.writer.send

        def watched(partition: int, key: str, value: bytes) -> asyncio.Future[int]:
            sent = send(partition, key, value)
            sent.add_done_callback(lambda it: self._sent(partition, it))
            return sent

        self.writer.send = watched  # type: ignore[method-assign]

    def _sent(self, partition: int, sent: asyncio.Future[int]) -> None:
        if not sent.cancelled() and sent.exception() is None:
            self._ends[partition] = max(self._ends.get(partition, 0), sent.result() + 1)

    @property
    def settled(self) -> bool:
        """Everything is written; and read, by whoever follows."""
        if self.writer.under_way:
            return False
        if not self._followers or self.recognizer._closed:
            return not self._followers
        read = {it: part.next for it, part in self.recognizer._following.parts.items()}
        if len(read) < self.options.partitions:
            return False
        return all(read[partition] >= end for partition, end in self._ends.items())

    async def _there(self) -> None:
        if self._made is None:
            self._made = asyncio.create_task(made(self.options))
        await self._made

    async def append(self, record: Record) -> None:
        await self._there()
        await super().append(record)

    async def follow(self) -> AsyncIterator[Sequence[Followed]]:
        self._followers += 1
        try:
            await self._there()
            async for batch in super().follow():
                yield batch
        finally:
            self._followers -= 1

    async def end(self) -> None:
        await self.writer.close()
        await self.group.close()
