"""A gateway that does not know yet what recognition can do listens and says so; nobody loses a session by asking early."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from gateway.gateway_harness import CAPABILITIES, Served, hear, run, served, until
from gateway.test_resume import cut, detached, noise, opened, resume
from patience import PATIENCE
from starling.core.config import SessionConfig
from starling.core.errors import InvalidOption
from starling.gateway.gateway import Gateway
from starling.gateway.listening import listen_everywhere
from starling.gateway.options import GatewayOptions
from starling.gateway.server import serving
from starling.protocols.dialects import spoken
from starling.protocols.registry import DIALECTS
from starling.telemetry.health import Health, State


@asynccontextmanager
async def starting(it: Served) -> AsyncIterator[Served]:
    """One that comes after ``it``, and has not begun."""
    options = GatewayOptions(port=0, protocols=spoken(["vosk:0", "wyoming:0", "deepgram"], DIALECTS))
    gateway = Gateway(options, it.gateway.ports, None, Health("engine"))
    listeners = listen_everywhere(options)
    ports = listeners.ports
    async with serving(gateway, listeners) as (host, port):
        yield Served(gateway, it.recognizer, it.log, it.bus, it.board, gateway.health, it.metrics, host, port, ports)
        await gateway.drain(PATIENCE)


async def refused(client: connect) -> tuple[int, str | None]:
    with pytest.raises(InvalidStatus) as info:
        await client
    return info.value.response.status_code, info.value.response.headers.get("Retry-After")


def test_it_is_live_and_not_ready_and_sends_clients_away_for_a_moment() -> None:
    async def scenario() -> None:
        async with served() as before, starting(before) as it:
            assert (await it.get("/healthz")).startswith("HTTP/1.1 200")
            assert (await it.get("/readyz")).startswith("HTTP/1.1 503")
            assert json.loads((await it.get("/version")).partition("\r\n\r\n")[2])["model"] is None
            assert await refused(it.connect()) == (503, "2")
            assert await refused(it.connect(query="?resume")) == (503, "2")
            assert await refused(connect(f"ws://{it.authority}/v1/listen")) == (503, "2")
            assert await refused(connect(f"ws://127.0.0.1:{it.ports['vosk']}/")) == (503, "2")
            reader, writer = await asyncio.open_connection("127.0.0.1", it.ports["wyoming"])
            assert await reader.read() == b""
            writer.close()
            assert it.count("starling_sessions_refused_total", reason="starting") == 5

            await it.gateway.begin(CAPABILITIES)
            it.health.set("engine", State.OK)
            assert (await it.get("/readyz")).startswith("HTTP/1.1 200")
            assert json.loads((await it.get("/version")).partition("\r\n\r\n")[2])["model"] == "scripted"
            async with it.connect() as client:
                await client.send('{"type":"start"}')
                await hear(client, until="ready")

    run(scenario)


def test_who_comes_back_too_early_is_not_told_that_the_session_is_over() -> None:
    async def scenario() -> None:
        async with served() as before:
            async with before.connect() as first:
                ready = await opened(first)
                await first.send(noise(3200))
                await until(lambda: len(before.recognizer.records) > 1)
                cut(first)
            await detached(before)
            async with starting(before) as it:
                assert await refused(it.connect(query="?resume")) == (503, "2")
                await it.gateway.begin(CAPABILITIES)  # and no recognizer is there: who has a session may wait for one in it
                async with it.connect(query="?resume") as second:
                    resumed = await resume(second, ready["resume_token"], 6400)
                    assert resumed["type"] == "resumed", resumed
                    await second.send('{"type":"end"}')
                    assert (await hear(second))[-1]["type"] == "done"

    run(scenario)


def test_a_default_language_that_is_not_spoken_is_found_when_recognition_says_what_it_speaks() -> None:
    async def scenario() -> None:
        async with served() as it:
            options = GatewayOptions(port=0, defaults=SessionConfig(language="de"))
            gateway = Gateway(options, it.gateway.ports, None, it.health)
            with pytest.raises(InvalidOption, match="language must be one of en, got 'de'"):
                await gateway.begin(CAPABILITIES)

    run(scenario)
