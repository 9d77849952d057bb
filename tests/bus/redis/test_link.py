"""The way to Redis: what is refused at the start, what is waited for, and what is never shown."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from chaos.platform_harness import eventually
from contracts.audio_log_contract import audio, checkpoint, following, opened
from contracts.result_bus_contract import final
from redis_server import RedisServer
from starling.bus.redis.audio_log import GatewayAudioLog
from starling.bus.redis.inbox import Inbox
from starling.bus.redis.link import Link, RedisOptions
from starling.bus.redis.results import GatewayResultBus
from starling.bus.redis.sides import RecognizerSide
from starling.cli.reach import check_bus
from starling.config.doctor import Status
from starling.config.groups.platform import Bus
from starling.config.settings import Settings
from starling.core.errors import InvalidOption, ServerError, ShuttingDown
from starling.core.records import Audio


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@asynccontextmanager
async def link(url: str, **options: float | str) -> AsyncIterator[Link]:
    it = Link(RedisOptions(url=url, **options))  # type: ignore[arg-type]
    try:
        yield it
    finally:
        await it.close()


def test_nobody_at_that_address_is_said_plainly() -> None:
    async def scenario() -> None:
        async with link("redis://:secret@127.0.0.1:1/0") as it:
            with pytest.raises(ServerError, match="does not answer") as refused:
                await it.check()
            assert "secret" not in refused.value.message

    asyncio.run(scenario())


def test_one_that_answers_that_it_cannot_is_not_said_to_be_silent(server: RedisServer) -> None:
    async def scenario() -> None:
        server.command("CONFIG SET min-replicas-to-write 1")
        async with link(server.url) as it:
            with pytest.raises(ServerError, match=r"cannot be used now \(.*replicas.*\): see bus.url"):
                await it.check()

    asyncio.run(scenario())


def test_all_must_agree_on_the_partitions(server: RedisServer) -> None:
    async def scenario() -> None:
        async with link(server.url, partitions=4) as it, link(server.url, partitions=5) as other:
            await it.check()
            await it.check()
            with pytest.raises(InvalidOption, match="5 here and 4"):
                await other.check()

    asyncio.run(scenario())


def test_what_is_asked_while_redis_is_away_is_answered_when_it_is_back(server: RedisServer) -> None:
    async def scenario() -> None:
        async with link(server.url) as it:
            await it.check()
            server.stop(signal.SIGKILL)
            asking = asyncio.create_task(it.command("INCR", "n"))
            await eventually(lambda: bool(it.trouble))
            assert not asking.done()
            server.start()
            assert await asking == 1
            assert not it.trouble

    asyncio.run(scenario())


def test_what_nobody_waits_for_any_more_is_not_sent(server: RedisServer) -> None:
    """Else what is tried again while Redis hangs would gather without a bound."""

    async def scenario() -> None:
        async with link(server.url) as it:
            await it.check()
            given_up = asyncio.create_task(it.command("INCR", "n"))
            await asyncio.sleep(0)  # it is about to be sent
            given_up.cancel()
            assert await it.command("INCR", "n") == 1

    asyncio.run(scenario())


def test_a_link_that_is_closed_lets_go_whoever_waits(server: RedisServer) -> None:
    async def scenario() -> None:
        async with link(server.url) as it:
            await it.check()
            server.stop()
            asking = asyncio.create_task(it.command("INCR", "n"))
            await eventually(lambda: bool(it.trouble))
            await it.close()
            with pytest.raises(ShuttingDown):
                await asking

    asyncio.run(scenario())


def test_a_redis_without_memory_takes_no_audio_but_lets_recognition_go_on(server: RedisServer) -> None:
    """So it empties by itself: what was recognized is published, committed and trimmed."""

    async def scenario() -> None:
        async with link(server.url, partitions=1, lease=60.0) as it:
            await it.check()
            inbox = Inbox(it, "g")
            log, results = GatewayAudioLog(it, inbox, max_lead=10**9), GatewayResultBus(it, inbox)
            recognizer = RecognizerSide.of(it, "r", lambda: 0.0)
            hearing = asyncio.create_task(inbox.run())
            await inbox.listening.wait()
            await recognizer.tenure.beat()
            subscription = await results.subscribe("s")
            async with following(recognizer.audio_log) as follower:
                await log.append(opened())
                for start in range(0, 32_000, 100):
                    await log.append(audio(start, start + 100))
                await eventually(lambda: len([record for record in follower.records if isinstance(record, Audio)]) == 320)
                await it.command("CONFIG", "SET", "maxmemory", "1")
                stuck = asyncio.create_task(log.append(audio(32_000, 32_100)))
                await eventually(lambda: "OOM" in it.trouble)
                assert not stuck.done()
                await recognizer.tenure.beat()
                await recognizer.results.publish(final(0, 1))
                await recognizer.audio_log.commit("s", checkpoint(32_000, 1))
                assert await it.command("XLEN", "starling:log:0") <= 100
                assert len(recognizer.tenure.held) == 1
                await eventually(lambda: bool(subscription.backlog))
                await it.command("CONFIG", "SET", "maxmemory", "0")
                await stuck
            hearing.cancel()
            await asyncio.wait([hearing])

    asyncio.run(scenario())


def test_the_doctor_says_whether_redis_will_do(server: RedisServer) -> None:
    found = check_bus(Settings(bus=Bus(url=server.url)))
    assert (found.status, "answers" in found.detail) == (Status.OK, True)
    server.stop()
    found = check_bus(Settings(bus=Bus(url=server.url)))
    assert (found.status, "does not answer" in found.detail) == (Status.FAIL, True)
