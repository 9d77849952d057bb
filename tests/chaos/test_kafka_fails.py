"""Recognizers on Kafka are killed, and the broker stands still and starts anew, while people speak; nobody's captions change."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack

import numpy as np
import pytest

from chaos.platform_harness import CHUNK, Final, all_captions, eventually
from chaos.roles_harness import apart, on_kafka
from chaos.test_processes_fail import BECKETT, scripted
from chaos.zombie_contract import ZombieContract
from kafka_broker import KafkaBroker
from redis_server import RedisServer
from starling.client import connect, reconnection
from starling.client.conversation import converse
from starling.client.session import Session
from starling.core.audio import SAMPLE_RATE, Samples
from starling.protocols.native.messages import Result, ServerMessage

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="servers run on Linux")


def test_captions_on_kafka_are_the_same_whichever_recognizer_is_killed(broker: KafkaBroker, redis: RedisServer) -> None:
    sounds = [BECKETT[n * 4000 :] for n in range(4)]

    async def scenario() -> None:
        async with apart(redis, gateways=1, recognizers=2, settings=on_kafka(broker, redis, "killed")) as server:
            await server.until_shared(8, 8)
            talking = asyncio.create_task(all_captions(server.url, sounds, speed=1))
            await server.until_heard(len(sounds), 3.0)
            await server.recognizers[0].end(signal.SIGKILL)
            await server.until_shared(16)
            assert await talking == [scripted(sound) for sound in sounds]

    asyncio.run(scenario())


def test_sessions_go_on_when_kafka_does(broker: KafkaBroker, redis: RedisServer) -> None:
    async def scenario() -> None:
        async with apart(redis, gateways=1, recognizers=1, settings=on_kafka(broker, redis, "stopped")) as server:
            talking = asyncio.create_task(all_captions(server.url, [BECKETT] * 2, speed=1))
            await server.until_heard(2, 2.0)
            os.kill(broker.pid, signal.SIGSTOP)
            await server.gateways[0].until_ready(ready=False)
            os.kill(broker.pid, signal.SIGCONT)
            await server.settled()
            await asyncio.to_thread(broker.stop, signal.SIGKILL)
            await server.gateways[0].until_ready(ready=False)
            await asyncio.to_thread(broker.start)
            await server.settled()
            assert await talking == [scripted(BECKETT)] * 2

    asyncio.run(scenario())


def test_clients_that_look_for_a_gateway_while_kafka_stands_still_find_one(
    broker: KafkaBroker, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each gateway that was asked goes on taking the session when Kafka does; the client is at one of them."""
    monkeypatch.setattr(reconnection, "ATTEMPT", 1.0)
    sounds = [np.tile(BECKETT, 2)[n * 4000 :] for n in range(4)]

    async def scenario() -> None:
        async with (
            apart(redis, gateways=2, recognizers=1, settings=on_kafka(broker, redis, "searched")) as server,
            AsyncExitStack() as stack,
        ):
            sessions = [await stack.enter_async_context(connect(server.url)) for _ in sounds]
            talking = [asyncio.create_task(told(session, sound)) for session, sound in zip(sessions, sounds, strict=True)]
            await eventually(lambda: any(role.said("final sent") for role in server.gateways))
            os.kill(broker.pid, signal.SIGSTOP)
            for session in sessions:
                session.cut()
            await eventually(lambda: all(role.said("session fetched") >= len(sounds) for role in server.gateways))
            os.kill(broker.pid, signal.SIGCONT)
            assert await asyncio.gather(*talking) == [scripted(sound) for sound in sounds]

    asyncio.run(scenario())


async def told(session: Session, sound: Samples) -> list[Final]:
    """The finals of a session that speaks in real time."""
    messages: list[ServerMessage] = []

    async def spoken() -> AsyncIterator[Samples]:
        for start in range(0, len(sound), CHUNK):
            await asyncio.sleep(CHUNK / SAMPLE_RATE)
            yield sound[start : start + CHUNK]

    await converse(session, spoken(), messages.append)
    return [(m.segment_id, m.text, m.start, m.end) for m in messages if isinstance(m, Result) and m.is_final]


class TestZombieOnKafka(ZombieContract):
    @pytest.fixture
    def bus(self, broker: KafkaBroker, redis: RedisServer) -> Mapping[str, str]:
        return on_kafka(broker, redis, "zombie")
