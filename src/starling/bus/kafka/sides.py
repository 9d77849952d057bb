"""What each role has of the bus where the audio is on Kafka, and all else on Redis. They end with the block."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starling.bus.kafka.audio_log import KafkaGatewayAudioLog
from starling.bus.kafka.cluster import KafkaOptions
from starling.bus.kafka.follower import KafkaRecognizerAudioLog
from starling.bus.kafka.group import Group
from starling.bus.kafka.tenure import GroupTenure
from starling.bus.kafka.writer import Writer
from starling.bus.redis.link import Link
from starling.bus.redis.sides import GatewaySide, RecognizerSide


@asynccontextmanager
async def gateway_side(
    link: Link, options: KafkaOptions, gateway: str, now: Callable[[], float], *, max_lead: int
) -> AsyncIterator[GatewaySide]:
    """``now``: the process's clock, in seconds. ``max_lead``: in samples."""
    writer = Writer(options)
    try:
        yield GatewaySide.around(
            link,
            gateway,
            now,
            lambda inbox, offset: KafkaGatewayAudioLog(link, inbox, options, writer, max_lead=max_lead, offset=offset),
        )
    finally:
        await writer.close()


@asynccontextmanager
async def recognizer_side(
    link: Link, options: KafkaOptions, recognizer: str, now: Callable[[], float], moved: Callable[[str, int], None]
) -> AsyncIterator[RecognizerSide]:
    """``now``: the process's clock, in seconds. ``moved``: see ``Tenure``."""
    group = Group(options)
    tenure = GroupTenure(link, recognizer, group, moved)
    try:
        yield RecognizerSide.around(link, tenure, now, lambda offset: KafkaRecognizerAudioLog(link, tenure, group, offset=offset))
    finally:
        await group.close()
