"""Audio that ends recognizers goes through two of them and no further, whatever carries it; and nobody else is taken for it."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Mapping
from itertools import count

import pytest

from chaos.deadly_client import deadly
from chaos.platform_harness import all_captions, caption, eventually
from chaos.poisoned_worker import poisonous
from chaos.roles_harness import Role, apart, on_kafka
from chaos.test_processes_fail import BECKETT, scripted
from kafka_broker import KafkaBroker
from patience import PATIENCE
from redis_server import RedisServer
from starling.client.errors import SessionAborted

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="servers run on Linux")

FRAGILE = "chaos.fragile_role"

_TOPICS = count()


@pytest.fixture(params=["redis", "kafka"])
def bus(request: pytest.FixtureRequest, redis: RedisServer) -> Mapping[str, str]:
    """Settings of what carries the audio. Leases last so long that it is the attendant who says that a recognizer is dead."""
    lease = {"STARLING_BUS__LEASE": "10"}
    if request.param == "redis":
        return lease
    broker: KafkaBroker = request.getfixturevalue("broker")
    return {**lease, **on_kafka(broker, redis, f"quarantine-{next(_TOPICS)}")}


async def until_ended(role: Role) -> int:
    """Its exit status, once it has one."""
    async with asyncio.timeout(PATIENCE):
        status = await role.process.wait()
        await role.listening
    return status


def test_audio_that_ends_two_recognizers_is_given_to_no_third_and_nobody_else_notices(
    redis: RedisServer, bus: Mapping[str, str]
) -> None:
    async def scenario() -> None:
        async with apart(redis, gateways=1, recognizers=3, settings=bus, module=FRAGILE) as server:
            talking = asyncio.create_task(all_captions(server.url, [BECKETT] * 4, speed=1))
            with pytest.raises(SessionAborted, match="ended its recognizer twice") as ended:
                await caption(server.url, poisonous(BECKETT), speed=4)
            assert ended.value.reason == "quarantined"
            assert await talking == [scripted(BECKETT)] * 4
            dead = [role for role in server.recognizers if role.said("process ended")]
            [alive] = [role for role in server.recognizers if role not in dead]
            assert [await until_ended(role) for role in dead] == [128 + signal.SIGSEGV] * 2
            assert alive.said("session quarantined") == 1
            await eventually(lambda: alive.figure("starling_sessions_quarantined_total") == 1)
            assert await caption(server.url, BECKETT, speed=4) == scripted(BECKETT), "who comes next is served"

    asyncio.run(scenario())


def test_who_is_killed_by_others_is_never_blamed(redis: RedisServer, bus: Mapping[str, str]) -> None:
    async def scenario() -> None:
        async with apart(redis, gateways=1, recognizers=1, settings=bus) as server:
            talking = asyncio.create_task(caption(server.url, BECKETT, speed=1))
            await eventually(lambda: bool(server.gateways[0].said("session opened")))
            for how in (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL):
                await server.recognizer()
                victim = server.recognizers[-2]
                victim.strike(how)
                assert await until_ended(victim) == 128 + how
                assert not victim.said("session quarantined")
            assert await talking == scripted(BECKETT)

    asyncio.run(scenario())


def test_bytes_that_end_two_gateways_are_unpacked_by_no_gateway(redis: RedisServer) -> None:
    async def scenario() -> None:
        async with apart(redis, gateways=3, recognizers=1, module=FRAGILE) as server:
            for victim in server.gateways[:2]:
                assert (await deadly(victim.url))["type"] == "ready"
                assert await until_ended(victim) == 128 + signal.SIGSEGV
            await server.gateways[2].until_said("networks banned")
            last = await deadly(server.gateways[2].url)
            assert (last["type"], last.get("code")) == ("error", "quarantined")
            assert server.gateways[2].process.returncode is None
            assert await caption(server.gateways[2].url, BECKETT, speed=4) == scripted(BECKETT), "PCM is taken as ever"

    asyncio.run(scenario())
