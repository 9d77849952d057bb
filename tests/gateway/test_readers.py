"""Whose bytes are read is known while they are, and who ended two gateways by them is not read again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from gateway.gateway_harness import END, START, hear, run, served
from gateway.recordings.desk_harness import desked
from starling.bus.memory import MemoryWitness
from starling.core.ports import Work
from starling.gateway import readers
from starling.gateway.http_protocol import PatientHttpProtocol
from starling.gateway.options import GatewayOptions
from starling.gateway.readers import NOBODY, Readers, is_public
from starling.gateway.websocket_protocol import PoliteWebSocketProtocol
from starling.protocols.deepgram.dialect import DEEPGRAM
from starling.protocols.dialects import Spoken
from starling.protocols.native.adapter import NativeAdapter


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "10.1.2.3", "192.168.0.9", "169.254.1.1", "fd00::1", "fe80::1", "", "testclient"]
)
def test_only_addresses_of_the_public_internet_are_somebodys_own(address: str) -> None:
    assert not is_public(address)
    assert is_public("93.184.216.34")
    assert is_public("2606:2800:220:1::1")


def test_behind_a_private_address_is_anybody_and_so_nobody() -> None:
    witness = MemoryWitness()
    witness.suspected |= {"reader 10.0.0.1", "reader 93.184.216.34"}
    known = Readers(witness)
    assert known.of("10.0.0.1") is NOBODY
    assert not known.refuses("10.0.0.1")
    assert known.refuses("93.184.216.34")
    with known.of("93.184.216.34"):
        assert witness.in_hand == {Work.READ: ("reader 93.184.216.34",)}
    assert witness.in_hand == {}


def test_where_nobody_remembers_nothing_is_noted_and_nobody_refused() -> None:
    assert Readers(None).of("93.184.216.34") is NOBODY
    assert not Readers(None).refuses("93.184.216.34")


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine counts as a stranger."""
    monkeypatch.setattr(readers, "is_public", lambda _: True)


@pytest.mark.parametrize("path", ["/api/v1/asr/submit", "/v1/listen"])
def test_a_body_of_json_is_read_under_its_senders_name(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    inside: list[str] = []

    class Reading:
        def __init__(self, address: str) -> None:
            self.address = address

        def __enter__(self) -> None:
            inside.append(self.address)

        def __exit__(self, *_: object) -> None:
            inside.pop()

    loads = json.loads

    def spied(text: Any, **options: Any) -> Any:
        if b"nobody" in bytes(text if isinstance(text, bytes | bytearray) else text.encode()):
            seen.append(inside[-1:] == ["127.0.0.1"])
        return loads(text, **options)

    async def scenario() -> None:
        gateway = GatewayOptions(port=0, protocols=(Spoken(DEEPGRAM, None),))
        async with desked(tmp_path, gateway=gateway) as it:
            monkeypatch.setattr(Readers, "of", lambda _, address: Reading(address))
            monkeypatch.setattr(json, "loads", spied)
            headers = {"Content-Type": "application/json"}
            answer = await it.client.post(path, content=b'{"nobody": "knows this"}', headers=headers)
            assert answer.status_code in {400, 422}
            assert seen == [True]

    run(scenario)


@pytest.mark.usefixtures("everywhere")
def test_requests_frames_and_messages_are_read_under_their_senders_name(monkeypatch: pytest.MonkeyPatch) -> None:
    witness = MemoryWitness()
    seen: dict[str, set[tuple[str, ...] | None]] = {}

    def spy(kind: type[Any], name: str) -> None:
        original: Callable[..., Any] = getattr(kind, name)

        def spied(*arguments: Any) -> Any:
            seen.setdefault(name, set()).add(witness.in_hand.get(Work.READ))
            return original(*arguments)

        monkeypatch.setattr(kind, name, spied)

    spy(PatientHttpProtocol, "on_headers_complete")
    spy(PoliteWebSocketProtocol, "handle_events")
    spy(NativeAdapter, "receive")

    async def scenario() -> None:
        async with served(witness=witness) as it:
            async with it.connect() as client:
                await client.send(START)
                await hear(client, until="ready")
                await client.send(END)
                await hear(client)
            assert witness.in_hand == {}

    run(scenario)
    named = {("reader 127.0.0.1",)}
    assert seen == {"on_headers_complete": named, "handle_events": named, "receive": named}


@pytest.mark.usefixtures("everywhere")
def test_who_ended_two_gateways_is_dropped_before_a_byte_is_read() -> None:
    witness = MemoryWitness()

    async def scenario() -> None:
        async with served(witness=witness) as it:
            assert (await it.get("/healthz")).startswith("HTTP/1.1 200")
            witness.suspected.add("reader 127.0.0.1")
            reader, writer = await asyncio.open_connection(it.host, it.port)
            with suppress(ConnectionError):
                assert await reader.read(1) == b""
            writer.close()
            assert it.count("starling_connections_banned_total") == 1
            witness.suspected.clear()
            assert (await it.get("/healthz")).startswith("HTTP/1.1 200")

    run(scenario)
