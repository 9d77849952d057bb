"""A member of the group of recognizers: Kafka assigns it partitions, and it reads those that it was told to begin."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from starling.bus.kafka.cluster import ATTEMPT, KafkaOptions
from starling.core.errors import ServerError, ShuttingDown

T = TypeVar("T")

COUNT: Final = 200
"""Records that are read at once."""

POLL: Final = 0.05
"""Seconds for which the thread waits for records; so long a word to it may take."""

WAITING: Final = 2_000
"""Records that may wait for the loop before Kafka is read on."""

HEARTBEATS: Final = 5
"""Signs of life within the silence after which a member is taken for dead."""

SEEKING: Final = 100
"""Attempts to begin a partition that was assigned just now."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a partition is begun, and where it ended then."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Value:
    """What stands at one offset of a partition."""

    partition: int
    offset: int
    key: bytes
    value: bytes


class Group:
    """``assigned``: by Kafka, now. ``changed`` is set when that changes. Make it where the event loop runs; ``join``, ``close``.

    Partitions are assigned cooperatively: a member keeps what it has while others come and go. One that is assigned is not read
    until it was begun, from what was committed of it.
    """

    def __init__(self, options: KafkaOptions) -> None:
        self.assigned: frozenset[int] = frozenset()
        self.changed = asyncio.Event()
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._orders: queue.SimpleQueue[Callable[[Consumer], None]] = queue.SimpleQueue()
        self._asking: set[asyncio.Future[Any]] = set()
        self._arrived: list[Value] = []
        self._some = asyncio.Event()
        self._room = threading.Event()
        self._room.set()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def join(self) -> None:
        """Begin to be a member. Again: nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="kafka group", daemon=True)
            self._thread.start()

    async def begin(self, partitions: Iterable[int]) -> Mapping[int, Place]:
        """Read these from what was committed on. Raises ServerError where Kafka does not say from where, or took them away."""
        wanted = tuple(partitions)
        return await self._order(lambda consumer: self._begin(consumer, wanted))

    async def leave(self, partitions: Iterable[int]) -> None:
        """Read these no more."""
        topic, left = self._options.topic, tuple(partitions)

        def pause(consumer: Consumer) -> None:
            known = {it.partition for it in consumer.assignment()}
            consumer.pause([TopicPartition(topic, partition) for partition in left if partition in known])

        await self._order(pause)

    def keep(self, partition: int, offset: int) -> None:
        """Commit: nothing of ``partition`` before ``offset`` is needed again."""
        place = TopicPartition(self._options.topic, partition, offset)
        self._orders.put(lambda consumer: _commit(consumer, place))

    async def read(self, seconds: float) -> list[Value]:
        """What came, in order within each partition; waits so long for it."""
        if not self._arrived:
            self._some.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._some.wait()
            except TimeoutError:
                return []
        arrived, self._arrived = self._arrived, []
        self._room.set()
        return arrived

    async def close(self) -> None:
        """Leave the group, so that others need not wait until this member is taken for dead."""
        self._stopping = True
        self._room.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    async def _order(self, what: Callable[[Consumer], T]) -> T:
        if self._stopping or self._thread is None:
            raise ShuttingDown("this recognizer has left its group")
        answer: asyncio.Future[T] = self._loop.create_future()

        def obey(consumer: Consumer) -> None:
            try:
                result = what(consumer)
            except KafkaException as error:
                reason = error.args[0].name() if isinstance(error.args[0], KafkaError) else type(error).__name__
                self._tell(_fail, answer, ServerError(f"Kafka does not do that now ({reason})"))
            else:
                self._tell(_answer, answer, result)

        self._asking.add(answer)
        self._orders.put(obey)
        try:
            return await answer
        finally:
            self._asking.discard(answer)

    # --- on the thread ---
    #
    # Nothing may be raised in `_assign` and `_revoke`, which the client calls: it makes a bare KafkaError of that, which claims
    # to be an exception and is none, so nothing catches it and the thread is gone.

    def _run(self) -> None:
        silence = round(self._options.silence * 1000)
        consumer = Consumer(
            self._options.client
            | {
                "group.id": self._options.group,
                "partition.assignment.strategy": "cooperative-sticky",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "earliest",
                "session.timeout.ms": silence,
                "heartbeat.interval.ms": silence // HEARTBEATS,
                "max.poll.interval.ms": 60_000,
                "fetch.wait.max.ms": 100,
                "topic.metadata.refresh.interval.ms": 10_000,
                "queued.max.messages.kbytes": 16_384,
            }
        )
        consumer.subscribe([self._options.topic], on_assign=self._assign, on_revoke=self._revoke, on_lost=self._revoke)
        while not self._stopping:
            self._obey(consumer)
            self._room.wait(1.0)
            with suppress(KafkaException):  # the next look says more
                self._take(consumer)
        with suppress(KafkaException):  # others wait until it is taken for dead
            consumer.close()
        self._tell(self._left)

    def _take(self, consumer: Consumer) -> None:
        first = consumer.poll(POLL)
        if first is not None:
            messages = [first]
            with suppress(KafkaException):  # the next look says more
                messages += consumer.consume(COUNT, 0)
            self._tell(self._arrive, [value for it in messages if (value := _value(it)) is not None])

    def _obey(self, consumer: Consumer) -> None:
        while not self._orders.empty():
            self._orders.get()(consumer)

    def _assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        with suppress(KafkaException):  # they are gone again
            consumer.incremental_assign(partitions)
            consumer.pause(partitions)
        self._tell(self._reassign, _assigned(consumer))

    def _revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        gone = {it.partition for it in partitions}
        with suppress(KafkaException):  # the consumer is being closed
            consumer.incremental_unassign(partitions)
        self._tell(self._reassign, _assigned(consumer) - gone)

    def _begin(self, consumer: Consumer, partitions: tuple[int, ...]) -> Mapping[int, Place]:
        places = {}
        asked = [TopicPartition(self._options.topic, partition) for partition in partitions]
        for it in consumer.committed(asked, timeout=ATTEMPT):
            low, high = self._bounds(consumer, it)
            it.offset = max(low, it.offset)
            self._seek(consumer, it)
            self._tell(self._discard, it.partition)
            places[it.partition] = Place(it.offset, high)
        consumer.resume(asked)
        for it in asked:  # the thread that fetches may look after partitions once a second, unless it has something to do
            self._bounds(consumer, it)
        return places

    def _bounds(self, consumer: Consumer, place: TopicPartition) -> tuple[int, int]:
        known = consumer.get_watermark_offsets(place, timeout=ATTEMPT)
        if known is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - its name there
        return known

    def _seek(self, consumer: Consumer, place: TopicPartition) -> None:
        for _ in range(SEEKING):
            try:
                consumer.seek(place)
            except KafkaException as error:
                if error.args[0].code() != KafkaError._STATE:  # noqa: SLF001 - its name there
                    raise
            else:
                return
            self._take(consumer)  # what was assigned just now is taken up meanwhile
        raise KafkaException(KafkaError(KafkaError._STATE))  # noqa: SLF001 - its name there

    def _tell(self, what: Callable[..., None], *words: object) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(what, *words)

    # --- on the loop ---

    def _reassign(self, partitions: frozenset[int]) -> None:
        self.assigned = partitions
        self.changed.set()

    def _arrive(self, values: list[Value]) -> None:
        self._arrived += values
        if len(self._arrived) > WAITING:
            self._room.clear()
        self._some.set()

    def _discard(self, partition: int) -> None:
        """What was read of it before it was begun again comes again."""
        self._arrived = [value for value in self._arrived if value.partition != partition]

    def _left(self) -> None:
        self._reassign(frozenset())
        self._some.set()
        for answer in list(self._asking):
            _fail(answer, ShuttingDown("this recognizer has left its group"))


def _commit(consumer: Consumer, place: TopicPartition) -> None:
    with suppress(KafkaException):  # the next one says more
        consumer.commit(offsets=[place], asynchronous=True)


def _assigned(consumer: Consumer) -> frozenset[int]:
    try:
        return frozenset(it.partition for it in consumer.assignment())
    except KafkaException:  # it is being closed
        return frozenset()


def _value(message: Message) -> Value | None:
    partition, offset, key, value = message.partition(), message.offset(), message.key(), message.value()
    if message.error() is not None or partition is None or offset is None:
        return None
    if not isinstance(key, bytes) or not isinstance(value, bytes):
        return None
    return Value(partition, offset, key, value)


def _answer(answer: asyncio.Future[T], result: T) -> None:
    if not answer.done():
        answer.set_result(result)


def _fail(answer: asyncio.Future[T], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
