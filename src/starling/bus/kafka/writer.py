"""Records on their way to Kafka: sent from the event loop, delivered by a thread of librdkafka, reported back to the loop."""

from __future__ import annotations

import asyncio
import threading
from typing import Final

from confluent_kafka import KafkaError, Message, Producer

from starling.bus.kafka.cluster import KafkaOptions
from starling.core.errors import ServerError, ShuttingDown

LINGER: Final = 2
"""Milliseconds for which records wait for others to be sent with."""

WAITING: Final = 65_536
"""KiB of records that may wait for a Kafka that is away."""

POLL: Final = 0.1
"""Seconds for which the thread waits for a report; so long closing may take."""


class Writer:
    """What it is sent is written once Kafka is there, however long that takes, and in order within a partition.

    One request at a time is under way to each broker, so an attempt that is repeated cannot overtake; it may write twice.
    Make it where the event loop runs.
    """

    def __init__(self, options: KafkaOptions) -> None:
        self._topic = options.topic
        self._loop = asyncio.get_running_loop()
        self._under_way: set[asyncio.Future[int]] = set()
        self._reports: list[tuple[asyncio.Future[int], KafkaError | None, int]] = []
        self._closed = False
        self._producer = Producer(
            options.client
            | {
                "acks": options.acks,
                "compression.type": "none",
                "linger.ms": LINGER,
                "max.in.flight.requests.per.connection": 1,
                "message.timeout.ms": 0,
                "request.timeout.ms": 5000,
                "queue.buffering.max.kbytes": WAITING,
            }
        )
        self._thread = threading.Thread(target=self._report, name="kafka writer", daemon=True)
        self._thread.start()

    @property
    def under_way(self) -> int:
        """Records that are not written yet."""
        return len(self._under_way)

    def send(self, partition: int, key: str, value: bytes) -> asyncio.Future[int]:
        """The offset it gets; ShuttingDown when the writer is closed before, ServerError where Kafka refuses it for good."""
        future: asyncio.Future[int] = self._loop.create_future()
        if self._closed:
            future.set_exception(ShuttingDown("the connection to Kafka is closed; connect again"))
            return future
        try:
            self._producer.produce(
                self._topic,
                value,
                key.encode(),
                partition,
                on_delivery=lambda error, message: self._delivered(future, error, message),
            )
        except BufferError:
            future.set_exception(ServerError("more records wait for Kafka than there is room for"))
            return future
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)
        return future

    def _delivered(self, future: asyncio.Future[int], error: KafkaError | None, message: Message) -> None:
        offset = message.offset()
        self._reports.append((future, error, -1 if offset is None else offset))

    def _report(self) -> None:
        while not self._closed:
            self._producer.poll(POLL)
            if self._reports:
                reports, self._reports = self._reports, []
                self._loop.call_soon_threadsafe(self._settle, reports)

    def _settle(self, reports: list[tuple[asyncio.Future[int], KafkaError | None, int]]) -> None:
        for future, error, offset in reports:
            if future.done():
                continue
            if error is None:
                future.set_result(offset)
            else:
                future.set_exception(ServerError(f"Kafka refuses a record ({error.name()})"))

    async def close(self) -> None:
        """Whoever waits for Kafka gives up."""
        if self._closed:
            return
        self._closed = True
        for future in list(self._under_way):
            if not future.done():
                future.set_exception(ShuttingDown("the connection to Kafka is closed; connect again"))
                future.exception()  # somebody may have left
        await asyncio.to_thread(self._thread.join)
        self._producer.purge()
