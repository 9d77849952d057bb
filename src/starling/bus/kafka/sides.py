"""What each role has of the bus where the audio is on Kafka, and all else on Redis. They end with the block."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starling.bus.kafka.audio_log import KafkaGatewayAudioLog
from starling.bus.kafka.cluster import KafkaOptions
from starling.bus.kafka.follower import KafkaRecognizerAudioLog
from starling.bus.kafka.group import Group
from starling.bus.kafka.tenure import GroupTenure
from starling.bus.kafka.writer import Writer
from starling.bus.redis.colleagues import RedisColleagues
from starling.bus.redis.directory import RedisSessionDirectory
from starling.bus.redis.inbox import Inbox
from starling.bus.redis.link import Link
from starling.bus.redis.load_board import GatewayLoadBoard, RecognizerLoadBoard
from starling.bus.redis.notary import RedisNotary
from starling.bus.redis.results import GatewayResultBus, RecognizerResultBus
from starling.bus.redis.sides import GatewaySide, RecognizerSide
from starling.bus.redis.tally import RedisTally


@asynccontextmanager
async def gateway_side(
    link: Link, options: KafkaOptions, gateway: str, now: Callable[[], float], *, max_lead: int
) -> AsyncIterator[GatewaySide]:
    """``now``: the process's clock, in seconds. ``max_lead``: in samples."""
    offset, inbox, writer = time.time() - now(), Inbox(link, gateway), Writer(options)
    try:
        yield GatewaySide(
            audio_log=KafkaGatewayAudioLog(link, inbox, options, writer, max_lead=max_lead, offset=offset),
            results=GatewayResultBus(link, inbox),
            board=GatewayLoadBoard(inbox, now, offset=offset),
            directory=RedisSessionDirectory(link, gateway),
            tally=RedisTally(link, gateway),
            notary=RedisNotary(link),
            colleagues=RedisColleagues(link, inbox),
            inbox=inbox,
        )
    finally:
        await writer.close()


@asynccontextmanager
async def recognizer_side(
    link: Link, options: KafkaOptions, recognizer: str, now: Callable[[], float], moved: Callable[[str, int], None]
) -> AsyncIterator[RecognizerSide]:
    """``now``: the process's clock, in seconds. ``moved``: see ``Tenure``."""
    offset, group = time.time() - now(), Group(options)
    tenure = GroupTenure(link, recognizer, group, moved)
    audio_log = KafkaRecognizerAudioLog(link, tenure, group, offset=offset)
    results = RecognizerResultBus(link, audio_log)
    audio_log.dropped = results.drop
    try:
        yield RecognizerSide(audio_log=audio_log, results=results, board=RecognizerLoadBoard(link, offset=offset), tenure=tenure)
    finally:
        await group.close()
