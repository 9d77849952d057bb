"""Dialects of other servers at the gateway: who is let in, and how one connection carries several sessions."""

from __future__ import annotations

import asyncio
import json
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from auth.test_keys import add
from gateway.gateway_harness import Served, run, served, until
from patience import PATIENCE
from starling.gateway.options import GatewayOptions
from starling.protocols.dialects import spoken
from starling.protocols.registry import DIALECTS

VOSK = spoken(["vosk:0"], DIALECTS)
SECOND = b"\1\0" * 8000
EOF = '{"eof" : 1}'
RESET = '{"reset" : 1}'
LIKELY: list[str | bytes] = [
    SECOND,
    EOF,
    RESET,
    "Done",
    "START",
    "STOP",
    "nonsense",
    b"END_OF_AUDIO",
    '{"uid": "me"}',
    '{"mode": "2pass"}',
    '{"is_speaking": false, "is_end": true}',
    '{"config": {"sample_rate": 16000}}',
    struct.pack("<ii", 16000, 8),
]
"""What some client sends to some of the dialects."""


def dial(it: Served, *, credentials: str = "", **options: Any) -> connect:
    at = f"{credentials}@" if credentials else ""
    return connect(f"ws://{at}127.0.0.1:{it.ports['vosk']}/any/path", compression=None, **options)


async def heard(client: ClientConnection) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(await client.recv())
    return answer


def test_one_connection_carries_several_sessions_and_what_comes_early_waits() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, protocols=VOSK), unfinished=True) as it, dial(it) as client:
            await client.send(SECOND)
            assert "partial" in await heard(client)
            await client.send(RESET)
            await client.send(SECOND)  # of the next session, while this one is not done
            await client.send(EOF)
            await until(lambda: it.recognizer.ended.qsize() == 1)
            assert it.gateway.active == 1
            it.recognizer.finishing.set()
            assert await heard(client) == {"text": "16000 samples"}
            assert "partial" in await heard(client)
            assert await heard(client) == {"text": "16000 samples"}
            await client.wait_closed()
            assert client.close_code == 1000
            assert it.count("starling_sessions_opened_total") == 2
            assert it.gateway.active == 0

    run(scenario)


def test_a_client_that_leaves_while_a_session_ends_leaves_nothing() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, protocols=VOSK), unfinished=True) as it:
            async with dial(it) as client:
                await client.send(SECOND)
                await heard(client)
                await client.send(RESET)
                await until(lambda: it.recognizer.ended.qsize() == 1)
            await until(lambda: it.gateway.active == 0)
            it.recognizer.finishing.set()

    run(scenario)


def test_a_drain_ends_a_connection_between_sessions_and_one_within() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, protocols=VOSK)) as it, dial(it) as idle, dial(it) as busy:
            await idle.send(RESET)
            assert await heard(idle) == {"text": ""}
            await busy.send(SECOND)
            await heard(busy)
            await it.gateway.drain(PATIENCE)
            assert await heard(busy) == {"text": "16000 samples"}
            for client in (idle, busy):
                with pytest.raises(ConnectionClosed):
                    await client.recv()
                assert client.close_code == 1012

    run(scenario)


def test_where_keys_are_asked_for_this_machine_needs_none_but_what_came_through_a_proxy_does(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    token, _ = add(keys)

    async def scenario() -> None:
        async with served(GatewayOptions(port=0, protocols=VOSK, keys_file=keys)) as it:
            proxied = {"X-Forwarded-For": "203.0.113.1"}
            async with (
                dial(it),
                dial(it, credentials=f"me:{token}"),
                dial(it, credentials=f"me:{token}", additional_headers=proxied),
            ):
                await asyncio.sleep(0)
            with pytest.raises(InvalidStatus) as refused:
                await dial(it, additional_headers=proxied)
            assert refused.value.response.status_code == 401
            with pytest.raises(InvalidStatus) as wrong:
                await dial(it, credentials="me:nonsense")
            assert wrong.value.response.status_code == 401

    run(scenario)


def test_on_another_address_a_key_is_needed(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    token, _ = add(keys)

    async def scenario() -> None:
        options = GatewayOptions(port=0, protocols=VOSK, protocols_host="0.0.0.0", keys_file=keys)
        async with served(options) as it:
            with pytest.raises(InvalidStatus):
                await dial(it)
            async with dial(it, credentials=f"me:{token}") as client:
                await client.send(EOF)
                assert await heard(client) == {"text": ""}

    run(scenario)


def test_pages_of_other_sites_stay_out_there_too() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, protocols=VOSK)) as it:
            with pytest.raises(InvalidStatus) as refused:
                await dial(it, origin="https://evil.example")
            assert refused.value.response.status_code == 403

    run(scenario)


def test_more_sessions_on_a_connection_than_one_may_open_come_slower() -> None:
    empty = struct.pack("<ii", 16000, 0)

    async def scenario() -> None:
        options = GatewayOptions(port=0, protocols=spoken(["sherpa-onnx:0"], DIALECTS), opens_per_minute=30)
        async with (
            served(options, still=True) as it,
            connect(f"ws://127.0.0.1:{it.ports['sherpa-onnx']}", compression=None) as client,
        ):
            await client.send(empty * 1000)
            for _ in range(30):
                await client.recv()
            await until(lambda: it.count("starling_slowed_seconds_total") > 0)
            assert it.count("starling_sessions_opened_total") < 40

    run(scenario)


ON_WEBSOCKETS = [one.name for one in DIALECTS if one.port is not None and one.body is None and one.service is None]
"""Those with a port of their own."""


@settings(max_examples=10)
@given(st.lists(st.binary(max_size=40) | st.sampled_from(LIKELY), max_size=12))
@pytest.mark.parametrize("name", ON_WEBSOCKETS)
def test_whatever_comes_no_session_is_left(name: str, frames: list[str | bytes]) -> None:
    async def scenario() -> None:
        options = GatewayOptions(port=0, protocols=spoken([f"{name}:0"], DIALECTS))
        async with served(options) as it:
            async with connect(f"ws://127.0.0.1:{it.ports[name]}", compression=None) as client:
                with suppress(ConnectionClosed):
                    for frame in frames:
                        await client.send(frame)
            await until(lambda: it.gateway.active == 0)
            assert not it.gateway.seats

    run(scenario)
