"""A gateway among others that shuts down leaves its sessions to them."""

from __future__ import annotations

import asyncio

import pytest
from websockets.exceptions import InvalidStatus

from client.test_client_resume import sound
from gateway.gateway_harness import CAPABILITIES, END, Served, hear, run, served, until
from gateway.test_resume import cut, detached, heard, noise, opened, resume
from gateway.test_starting import starting
from patience import PATIENCE
from starling.client import connect as client_connect
from starling.client.session import Session
from starling.core.config import VadMode
from starling.gateway.access import Overseer
from starling.gateway.options import GatewayOptions
from starling.protocols.native.messages import Done, Result, ServerMessage
from starling.telemetry.health import State


async def begun(it: Served) -> None:
    await it.gateway.begin(CAPABILITIES)
    it.health.set("engine", State.OK)


@pytest.mark.parametrize("away", [False, True], ids=["there", "away"])
def test_who_may_come_back_goes_on_at_another_gateway(*, away: bool) -> None:
    spoken = noise(32_000)

    async def scenario() -> None:
        async with served(shared=True) as leaving, starting(leaving) as staying:
            await begun(staying)
            async with leaving.connect() as first:
                ready = await opened(first)
                await first.send(spoken[:32_000])
                await hear(first, until="result")
                if away:
                    cut(first)
                    await detached(leaving)
                assert await leaving.gateway.drain(PATIENCE) == 0
                if not away:
                    assert "done" not in [message["type"] for message in await hear(first)]
                    assert first.close_code == 1012
            assert leaving.gateway.active == 0
            with pytest.raises(InvalidStatus) as refused:
                await leaving.connect(query="?resume")
            assert refused.value.response.status_code == 503
            async with staying.connect(query="?resume") as second:
                resumed = await resume(second, ready["resume_token"], len(spoken))
                await second.send(spoken[resumed["received"] :])
                await second.send(END)
                said = await hear(second)
            assert heard(leaving) == spoken
            assert [message["type"] for message in said if message["type"] in {"error", "done"}] == ["done"]
            assert any(message.get("is_final") for message in said)

    run(scenario)


def test_who_cannot_come_back_and_who_was_through_get_their_last_words() -> None:
    async def scenario() -> None:
        async with (
            served(shared=True, unfinished=True) as it,
            it.connect() as without,
            it.connect() as ending,
            it.connect() as mute,
        ):
            await opened(without, '{"type":"start","vad":"off"}')
            await opened(ending)
            for client in (without, ending):
                await client.send(noise(1600))
            await ending.send(END)
            await it.recognizer.ended.get()
            await mute.send('{"type":"keepalive"}')
            draining = asyncio.create_task(it.gateway.drain(PATIENCE))
            await until(lambda: not it.health.ready)
            it.recognizer.finishing.set()
            last = [(await hear(client))[-1]["type"] for client in (without, ending)]
            assert last == ["done", "done"]
            assert (without.close_code, ending.close_code) == (1012, 1000)
            await draining

    run(scenario)


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_last_words_go_over_to_another_gateway_with_who_was_cut_before_it_read_them(when: str) -> None:
    """Nobody waits here for a client that cannot come back here, and no final is lost by it."""
    options = GatewayOptions(port=0, resume_grace=PATIENCE)

    async def scenario() -> None:
        async with served(options, shared=True, unfinished=True) as leaving, starting(leaving) as staying:
            await begun(staying)
            async with leaving.connect() as first:
                ready = await opened(first)
                await first.send(noise(1600))
                await first.send(END)
                await leaving.recognizer.ended.get()
                if when == "before":
                    cut(first)
                    await detached(leaving)
                draining = asyncio.create_task(leaving.gateway.drain(PATIENCE))
                await until(lambda: not leaving.health.ready)
                if when == "meanwhile":
                    cut(first)
                assert await draining == 0
            assert leaving.gateway.active == 0
            async with staying.connect(query="?resume") as second:
                assert (await resume(second, ready["resume_token"], 3200))["type"] == "resumed"
                await second.send(END)
                leaving.recognizer.finishing.set()
                said = await hear(second)
            finals = [message for message in said if message.get("is_final")]
            assert [final["segment_id"] for final in finals] == [0]
            assert said[-1]["type"] == "done"

    run(scenario)


def test_an_operator_ends_a_session_for_good_where_there_are_other_gateways() -> None:
    async def scenario() -> None:
        async with served(shared=True) as it, it.connect() as client:
            await opened(client)
            (seat,) = it.gateway.seats
            assert (await it.gateway.roll.end(seat.session_id, Overseer(tenant=None, by="x"))).found
            said = await hear(client)
            assert [message.get("code") for message in said if message["type"] == "error"] == ["dismissed"]
            assert said[-1]["type"] == "done"

    run(scenario)


def test_the_python_client_goes_over_by_itself() -> None:
    """Both gateways behind one address, as behind a balancer that knows which of them is ready."""
    spoken = sound(3)

    async def scenario() -> None:
        async with served(shared=True) as leaving, starting(leaving) as staying:
            await begun(staying)
            target = leaving

            async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                there = await asyncio.open_connection(target.host, target.port)

                async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
                    while data := await source.read(4096):
                        sink.write(data)
                    sink.close()

                await asyncio.gather(pump(reader, there[1]), pump(there[0], writer), return_exceptions=True)

            balancer = await asyncio.start_server(carry, "127.0.0.1", 0)
            finals: list[Result] = []
            messages: list[ServerMessage] = []
            port = balancer.sockets[0].getsockname()[1]
            async with client_connect(f"ws://127.0.0.1:{port}", vad=VadMode.OFF) as session:

                async def speak(session: Session) -> None:
                    nonlocal target
                    await session.send(spoken[:16_000])
                    await until(lambda: any(isinstance(one, Result) for one in messages))
                    target = staying
                    assert await leaving.gateway.drain(PATIENCE) == 0
                    await session.send(spoken[16_000:])
                    await session.end()

                speaking = asyncio.create_task(speak(session))
                async for message in session:
                    messages.append(message)
                    if isinstance(message, Result) and message.is_final:
                        finals.append(message)
                await speaking
            assert heard(leaving) == spoken.tobytes()
            assert [final.segment_id for final in finals] == [0]
            assert isinstance(messages[-1], Done)
            balancer.close()

    run(scenario)
