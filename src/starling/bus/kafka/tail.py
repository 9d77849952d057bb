"""How far a session goes, read from Kafka itself: for a gateway that goes on with what another one wrote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from confluent_kafka import Consumer, TopicPartition

from starling.bus.entries import unpack_entry
from starling.bus.kafka.cluster import ATTEMPT, KafkaOptions
from starling.bus.kafka.stamps import Succession, unstamped
from starling.core.errors import ServerError
from starling.core.records import Ended, Opened, Tail

COUNT: Final = 500
"""Records that are read at once."""


@dataclass(frozen=True, slots=True)
class Found:
    """``number``: of the last record."""

    tail: Tail
    number: int


def last_of(session_id: str, values: Iterable[bytes], first: int, epoch: int) -> Found | None:
    """What the last record says that counts, of those that stand before the mark of ``epoch``; None where there is none, and
    where there is a mark of a later epoch.

    ``values``: of the session, as they stand on Kafka. ``first``: the first epoch that counts. Pure.
    """
    succession, found = Succession(first), None
    for value in values:
        at, number, data = unstamped(value)
        if at > epoch:  # yet another gateway has it now
            return None
        if not succession.takes(at, number) or not data:
            continue
        entry = unpack_entry(session_id, data)
        record = entry.record
        if isinstance(record, Opened):
            found = Found(Tail(position=entry.end, sequence=record.checkpoint.sequence, received=0), number)
        else:
            tail = Tail(position=entry.end, sequence=record.sequence, received=record.received, ended=isinstance(record, Ended))
            found = Found(tail, number)
    return found


def values_between(options: KafkaOptions, partition: int, session_id: str, since: int, until: int) -> Iterator[bytes]:
    """What stands of a session on Kafka from offset ``since`` to before ``until``. Blocks. Raises ServerError."""
    consumer = Consumer(
        options.client | {"group.id": f"{options.topic}-tails", "enable.auto.commit": False, "auto.offset.reset": "earliest"}
    )
    key = session_id.encode()
    try:
        consumer.assign([TopicPartition(options.topic, partition, since)])
        at = since
        while at < until:
            message = consumer.poll(ATTEMPT)
            if message is None:
                raise ServerError("Kafka does not give back what was written there; try again")
            for one in (message, *consumer.consume(COUNT, 0)):
                offset, value = one.offset(), one.value()
                if one.error() is not None or offset is None or value is None:
                    continue
                at = offset + 1
                if offset < until and one.key() == key:
                    yield value
    finally:
        consumer.close()
