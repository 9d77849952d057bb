"""Records on their way to Kafka: sent from the event loop, delivered by a thread of librdkafka, reported back to the loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from dataclasses import dataclass
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


UNDER_WAY: Final = 64
"""Requests that may be under way to a broker. librdkafka makes one for each partition (its issue 1700), and what a tick brings is
for many; if each waited for the answer to the one before, the last would wait for them all.
"""


@dataclass(frozen=True, slots=True)
class _Record:
    """``written`` is settled when it is."""

    partition: int
    key: str
    value: bytes
    written: asyncio.Future[int]


class Writer:
    """What it is sent is written once Kafka is there, however long that takes, and in order within a key.

    One record of each key is under way at a time, so an attempt that is repeated cannot overtake; it may write twice.
    Make it where the event loop runs.
    """

    def __init__(self, options: KafkaOptions) -> None:
        self._topic = options.topic
        self._loop = asyncio.get_running_loop()
        self._under_way: set[asyncio.Future[int]] = set()
        self._turns: dict[str, deque[_Record]] = {}  # by key, of which one is under way: what waits for it
        self._reports: list[tuple[_Record, KafkaError | None, int]] = []
        self._closed = False
        self._producer = Producer(
            options.client
            | {
                "acks": options.acks,
                "compression.type": "none",
                "linger.ms": LINGER,
                "max.in.flight.requests.per.connection": UNDER_WAY,
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
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)
        record = _Record(partition, key, value, future)
        turn = self._turns.get(key)
        if turn is None:
            self._turns[key] = deque()
            self._produce(record)
        else:
            turn.append(record)
        return future

    def _produce(self, record: _Record) -> None:
        try:
            self._producer.produce(
                self._topic,
                record.value,
                record.key.encode(),
                record.partition,
                on_delivery=lambda error, message: self._delivered(record, error, message),
            )
        except BufferError:
            if not record.written.done():
                record.written.set_exception(ServerError("more records wait for Kafka than there is room for"))
            self._next(record.key)

    def _next(self, key: str) -> None:
        """The one of ``key`` that was under way is not any more."""
        turn = self._turns[key]
        if turn:
            self._produce(turn.popleft())
        else:
            del self._turns[key]

    def _delivered(self, record: _Record, error: KafkaError | None, message: Message) -> None:
        offset = message.offset()
        self._reports.append((record, error, -1 if offset is None else offset))

    def _report(self) -> None:
        while not self._closed:
            self._producer.poll(POLL)
            if self._reports:
                reports, self._reports = self._reports, []
                self._loop.call_soon_threadsafe(self._settle, reports)

    def _settle(self, reports: list[tuple[_Record, KafkaError | None, int]]) -> None:
        for record, error, offset in reports:
            if not record.written.done():
                if error is None:
                    record.written.set_result(offset)
                else:
                    record.written.set_exception(ServerError(f"Kafka refuses a record ({error.name()})"))
            if not self._closed:
                self._next(record.key)

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
