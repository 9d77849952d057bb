"""Gateways, recognizers and Redis itself are killed, stopped and added while people speak; nobody's captions change for it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping

import numpy as np
import pytest

from chaos.platform_harness import Final, all_captions, caption, eventually
from chaos.roles_harness import Wire, apart
from chaos.test_processes_fail import BECKETT, scripted, undisturbed
from chaos.zombie_contract import ZombieContract
from patience import PATIENCE
from redis_server import RedisServer
from starling.client import connect
from starling.core.audio import SAMPLE_RATE
from starling.core.errors import Overloaded, StarlingError
from starling.protocols.native.messages import Result, ServerMessage

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="servers run on Linux")


def test_captions_are_the_same_whichever_recognizer_is_killed(redis: RedisServer) -> None:
    sounds = [BECKETT[n * 4000 :] for n in range(6)]

    async def scenario() -> None:
        async with apart(redis, gateways=2, recognizers=2) as server:
            talking = asyncio.create_task(all_captions(server.url, sounds, speed=2))
            for turn in range(2):
                await server.until_heard(len(sounds), 1.5)
                await server.recognizer()
                await server.recognizers[turn].end(signal.SIGKILL)
                await server.until_shared(8, 8)
            assert await talking == [scripted(sound) for sound in sounds]
            assert all(gateway.said("session opened") for gateway in server.gateways), "each had some of them"

    asyncio.run(scenario())


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_clients_of_a_gateway_that_ends_go_on_at_the_other(redis: RedisServer, how: signal.Signals) -> None:
    async def scenario() -> None:
        async with apart(redis, gateways=2, recognizers=1) as server:
            talking = asyncio.create_task(all_captions(server.url, [BECKETT] * 4, speed=1))
            await server.until_heard(4, 4.0)
            await server.gateways[0].end(how)
            assert await talking == [scripted(BECKETT)] * 4
            await server.gateways[1].until_said("session resumed", 2)

    asyncio.run(scenario())


def test_who_is_away_while_a_gateway_drains_goes_on_at_the_other(redis: RedisServer) -> None:
    """Nobody is waited for, and what was spoken before, what was recognized meanwhile and what comes later are all there."""

    async def scenario() -> None:
        grace = {"STARLING_SERVER__RESUME_GRACE": str(PATIENCE), "STARLING_SERVER__DRAIN_GRACE": str(PATIENCE)}
        async with apart(redis, gateways=2, recognizers=1, settings=grace) as server:
            staying = server.gateways.pop()
            async with connect(server.url, open_timeout=PATIENCE) as session:

                async def listen() -> list[ServerMessage]:
                    return [message async for message in session]

                listening, outbox = asyncio.create_task(listen()), session._line._outbox
                [leaving] = server.gateways
                half = len(BECKETT) // 2
                await session.send(BECKETT[:half])
                await eventually(lambda: outbox._kept > 0)  # the server has confirmed that it is on the log
                server.gateways.clear()  # nobody is behind the balancer: the client stays away
                session.cut()
                await leaving.until_said("session detached")
                assert await leaving.end() == 0, "".join(leaving.log)
                assert not leaving.said("sessions did not finish in time")
                assert not leaving.said("session ended")
                assert (await server.recognizers[0].status())["clients"] == 1, "nobody ended what was left"
                server.gateways.append(staying)
                await session.send(BECKETT[half:])
                await session.end()
                finals = [it for it in await listening if isinstance(it, Result) and it.is_final]
            assert [(it.segment_id, it.text, it.start, it.end) for it in finals] == scripted(BECKETT)
            assert (staying.said("session fetched"), staying.said("session resumed")) == (1, 1)

    asyncio.run(scenario())


def test_clients_go_to_and_fro_between_gateways(redis: RedisServer) -> None:
    """The gateway to which a client returns had waited for it meanwhile, and knows nothing of what came to the other one."""

    sound, piece = np.tile(BECKETT, 2), 5 * SAMPLE_RATE // 2

    async def scenario() -> None:
        async with apart(redis, gateways=2, recognizers=1) as server, connect(server.url) as session:

            async def listen() -> list[ServerMessage]:
                return [message async for message in session]

            listening, outbox = asyncio.create_task(listen()), session._line._outbox
            for number, start in enumerate(range(0, len(sound), piece)):
                await eventually(lambda wanted=number: sum(it.said("session resumed") for it in server.gateways) == wanted)  # type: ignore[misc]
                kept = outbox._kept
                await session.send(sound[start : start + piece])
                await eventually(lambda before=kept: outbox._kept > before)  # type: ignore[misc]
                session.cut()
            await session.end()
            finals = [it for it in await listening if isinstance(it, Result) and it.is_final]
            assert [(it.segment_id, it.text, it.start, it.end) for it in finals] == scripted(sound)
            assert all(gateway.said("session fetched") > 1 for gateway in server.gateways)

    asyncio.run(scenario())


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_sessions_go_on_when_redis_is_back(redis: RedisServer, how: signal.Signals) -> None:
    async def scenario() -> None:
        async with apart(redis, gateways=1, recognizers=1) as server:
            talking = asyncio.create_task(all_captions(server.url, [BECKETT] * 3, speed=1))
            await server.until_heard(3, 3.0)
            await asyncio.to_thread(redis.stop, how)
            await server.gateways[0].until_ready(ready=False)
            await server.recognizers[0].until_ready(ready=False)
            with pytest.raises(Overloaded) as refused:
                await caption(server.gateways[0].url, BECKETT, speed=10)
            assert refused.value.retry_after > 0
            await asyncio.to_thread(redis.start)
            await server.settled()
            assert await talking == [scripted(BECKETT)] * 3

    asyncio.run(scenario())


def test_a_gateway_gives_who_cannot_go_elsewhere_all_its_grace(redis: RedisServer) -> None:
    """Its other work goes on meanwhile, and finds it draining."""

    async def scenario() -> None:
        async with apart(redis, gateways=1, recognizers=1, settings={"STARLING_SERVER__DRAIN_GRACE": "2"}) as server:
            [gateway], [recognizer] = server.gateways, server.recognizers
            async with connect(gateway.url, resume=False) as session:
                await session.send(BECKETT[:SAMPLE_RATE])
                await eventually(lambda: bool(gateway.said("session opened")))
                recognizer.strike(signal.SIGSTOP)
                assert await gateway.end() == 0, "".join(gateway.log)
                assert gateway.said("sessions did not finish in time")
                with pytest.raises(StarlingError):
                    [_ async for _ in session]
            recognizer.strike(signal.SIGCONT)

    asyncio.run(scenario())


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_roles_end_in_good_order_while_nobody_at_redis_answers(redis: RedisServer, how: signal.Signals) -> None:
    async def scenario() -> None:
        grace = {"STARLING_SERVER__DRAIN_GRACE": "2"}
        async with (
            apart(redis, gateways=1, recognizers=1, settings=grace) as server,
            connect(server.url, resume=False) as session,
        ):
            await session.send(BECKETT)
            await eventually(lambda: bool(server.gateways[0].said("session opened")))
            os.kill(redis.pid, how)
            for role in (*server.gateways, *server.recognizers):
                assert await role.end() == 0, "".join(role.log)
            with pytest.raises(StarlingError):
                [_ async for _ in session]

    asyncio.run(scenario())


class TestZombieOnRedis(ZombieContract):
    @pytest.fixture
    def bus(self) -> Mapping[str, str]:
        return {}


def test_a_recognizer_that_is_cut_off_from_redis_is_fenced(redis: RedisServer) -> None:
    async def scenario() -> None:
        wire = Wire(redis)
        async with wire.laid() as url, apart(redis, gateways=1, recognizers=1) as server:
            cut_off = await server.recognizer(url)
            await server.until_shared(8, 8)
            talking = asyncio.create_task(all_captions(server.url, [BECKETT[n * 4000 :] for n in range(4)], speed=1))
            await server.until_heard(4, 2.5)
            wire.whole.clear()
            await server.recognizers[0].until_holding(16)
            assert await talking == [scripted(BECKETT[n * 4000 :]) for n in range(4)]
            await cut_off.until_ready(ready=False)
            wire.whole.set()
            await server.until_shared(8, 8)
            await cut_off.until_said("partition lost", 8)

    asyncio.run(scenario())


def test_recognizers_come_and_go_while_people_speak(redis: RedisServer) -> None:
    sounds = [BECKETT[n * 3000 :] for n in range(6)]

    async def scenario() -> None:
        async with apart(redis, gateways=1, recognizers=1) as server:
            talking = asyncio.create_task(all_captions(server.url, sounds, speed=1))
            await asyncio.gather(server.recognizer(), server.recognizer())
            await server.until_shared(6, 5, 5)
            assert await server.recognizers[0].end() == 0
            await server.until_shared(8, 8)
            assert await talking == [scripted(sound) for sound in sounds]

    asyncio.run(scenario())


def test_who_is_abandoned_with_its_gateway_is_ended_by_another(redis: RedisServer) -> None:
    async def scenario() -> None:
        grace = {"STARLING_SERVER__RESUME_GRACE": "0.1"}
        async with apart(redis, gateways=1, recognizers=1, settings=grace) as server:
            talking = asyncio.create_task(caption(server.url, BECKETT, speed=1))
            await server.until_heard(1, 2.0)
            await server.gateways[0].end(signal.SIGKILL)
            talking.cancel()  # only now, or the gateway would end the session by itself
            assert (await server.recognizers[0].status())["clients"] == 1
            other = await server.gateway()
            async with asyncio.timeout(PATIENCE):
                while (await server.recognizers[0].status())["clients"]:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.1)
            await other.until_said("session ended")

    asyncio.run(scenario())


@pytest.mark.model
def test_the_real_model_says_the_same_with_its_roles_apart(redis: RedisServer) -> None:
    async def scenario() -> list[list[Final]]:
        async with apart(redis, gateways=2, recognizers=2, settings={"STARLING_ENGINE__NAME": "moonshine-tiny-en"}) as server:
            talking = asyncio.create_task(all_captions(server.url, [BECKETT, BECKETT], speed=1))
            await server.until_heard(2, 4.0)
            await server.recognizers[0].end(signal.SIGKILL)
            return await talking

    assert asyncio.run(scenario()) == [undisturbed(BECKETT)] * 2
