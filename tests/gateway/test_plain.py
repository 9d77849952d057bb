"""Clients over plain TCP: the same limits as for WebSockets, and nothing is left of whoever breaks them."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auth.test_keys import add
from gateway.certificates import make_certificate
from gateway.gateway_harness import BRIEFLY, Served, run, served, until
from patience import PATIENCE
from starling.gateway.options import GatewayOptions
from starling.protocols.dialects import spoken
from starling.protocols.registry import DIALECTS

WYOMING = spoken(["wyoming:0"], DIALECTS)


def event(kind: str, payload: bytes = b"", **data: Any) -> bytes:
    """As Wyoming's servers and clients write it."""
    text = json.dumps(data).encode() if data else b""
    line = {"type": kind, "version": "1", "data_length": len(text), "payload_length": len(payload)}
    return json.dumps(line).encode() + b"\n" + text + payload


SECOND = event("audio-chunk", b"\1\0" * 16000, rate=16000, width=2, channels=1)
STOP = event("audio-stop")
DESCRIBE = event("describe")


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, *events: bytes) -> None:
        self.writer.write(b"".join(events))

    async def hear(self) -> tuple[str, dict[str, Any]]:
        """The next event."""
        line = json.loads(await self.reader.readuntil(b"\n"))
        data = await self.reader.readexactly(line.get("data_length", 0))
        return line["type"], json.loads(data) if data else {}

    async def until(self, kind: str) -> dict[str, Any]:
        """The data of the next event of that kind."""
        while (heard := await self.hear())[0] != kind:
            pass
        return heard[1]

    async def closed(self) -> None:
        """Nothing comes any more."""
        with suppress(ConnectionResetError):
            assert await self.reader.read() == b""


@asynccontextmanager
async def dial(it: Served, **options: Any) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("localhost" if options else "127.0.0.1", it.ports["wyoming"], **options)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def test_one_connection_carries_several_sessions_and_what_comes_early_waits() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, protocols=WYOMING), unfinished=True) as it, dial(it) as client:
            client.send(SECOND, STOP, SECOND, SECOND, STOP, DESCRIBE)
            await until(lambda: it.recognizer.ended.qsize() == 1)
            assert it.gateway.active == 1
            it.recognizer.finishing.set()
            assert (await client.until("transcript"))["text"] == "16000 samples"
            assert (await client.until("transcript"))["text"] == "32000 samples"
            await client.until("info")
            assert it.count("starling_sessions_opened_total") == 2

    run(scenario)


def test_events_may_come_in_pieces_of_any_size() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, protocols=WYOMING)) as it, dial(it) as client:
            everything = event("audio-chunk", b"\1\0" * 50, rate=16000, width=2, channels=1) + STOP
            for start in range(len(everything)):
                client.send(everything[start : start + 1])
                await asyncio.sleep(0)
            assert (await client.until("transcript"))["text"] == "50 samples"

    run(scenario)


@pytest.mark.parametrize("last", [b"", SECOND[:100], SECOND[:10]])
def test_a_client_that_leaves_leaves_nothing(last: bytes) -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, protocols=WYOMING)) as it:
            async with dial(it) as client:
                client.send(SECOND, last)
                await until(lambda: bool(it.recognizer.records))
            await until(lambda: it.gateway.active == 0)

    run(scenario)


def test_a_client_that_leaves_while_its_session_ends_leaves_nothing() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, protocols=WYOMING), unfinished=True) as it:
            async with dial(it) as client:
                client.send(SECOND, STOP)
                await until(lambda: it.recognizer.ended.qsize() == 1)
            await until(lambda: it.gateway.active == 0)
            it.recognizer.finishing.set()

    run(scenario)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"GET / HTTP/1.1\r\n", "invalid_message"),
        (b"x" * 300_000, "frame_too_large"),
        (b'{"type": "audio-chunk", "payload_length": 2000000}\n', "frame_too_large"),
        (b'{"type": "audio-chunk", "payload_length": ' + b"9" * 18 + b"}\n", "frame_too_large"),
        (b'{"type": "x", "data_length": 2}\n[]', "invalid_message"),
        (SECOND + event("audio-start", rate=1), "invalid_message"),
    ],
)
def test_who_breaks_the_protocol_is_told_and_left(sent: bytes, code: str) -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, protocols=WYOMING)) as it, dial(it) as client:
            client.send(sent)
            assert (await client.until("error"))["code"] == code
            await until(lambda: it.gateway.active == 0)

    run(scenario)


@pytest.mark.parametrize("sent", [b"", b'{"type"', b'{"type": "audio-chunk", "payload_length": 8}\n1234'])
def test_nobody_holds_a_place_by_saying_nothing(sent: bytes) -> None:
    async def scenario() -> None:
        options = GatewayOptions(port=0, protocols=WYOMING, start_timeout=BRIEFLY)
        async with served(options) as it, dial(it) as client:
            client.send(sent)
            assert (await client.until("error"))["code"] == "idle_timeout"
            await until(lambda: it.gateway.active == 0)
            await client.closed()

    run(scenario)


def test_a_silent_session_ends() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, protocols=WYOMING, idle_timeout=BRIEFLY)) as it, dial(it) as client:
            client.send(SECOND)
            assert (await client.until("error"))["code"] == "idle_timeout"
            assert (await client.until("transcript"))["text"] == "16000 samples"  # what was said is not lost
            await client.until("transcript-stop")
            await client.closed()

    run(scenario)


def test_a_full_server_says_what_it_is_and_takes_no_audio() -> None:
    async def scenario() -> None:
        options = GatewayOptions(port=0, protocols=WYOMING, max_sessions=1)
        async with served(options) as it, dial(it) as first, dial(it) as second:
            first.send(SECOND)
            await first.until("transcript-start")
            second.send(DESCRIBE, SECOND)
            assert (await second.hear())[0] == "info"
            assert (await second.until("error"))["code"] == "overloaded"
            await second.closed()
            first.send(STOP)
            await first.until("transcript")

    run(scenario)


def test_connections_are_counted_with_all_others() -> None:
    async def scenario() -> None:
        options = GatewayOptions(port=0, protocols=WYOMING, max_connections=1)
        async with served(options) as it, dial(it) as first:
            first.send(DESCRIBE)
            await first.until("info")
            async with dial(it) as second:
                await second.closed()
            assert it.count("starling_connections_cut_total") == 1

    run(scenario)


def test_on_another_address_a_server_that_asks_for_keys_refuses(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    add(keys)

    async def scenario() -> None:
        near = GatewayOptions(port=0, protocols=WYOMING, keys_file=keys)
        async with served(near) as it, dial(it) as client:
            client.send(SECOND, STOP)
            await client.until("transcript")
        far = GatewayOptions(port=0, protocols=WYOMING, keys_file=keys, protocols_host="0.0.0.0")
        async with served(far) as it, dial(it) as client:
            client.send(SECOND)
            assert (await client.until("error"))["code"] == "unauthenticated"
            await client.closed()

    run(scenario)


def test_tls_is_for_other_addresses(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)

    async def scenario() -> None:
        near = GatewayOptions(port=0, protocols=WYOMING, tls_cert=cert, tls_key=key)
        async with served(near) as it, dial(it) as client:
            client.send(DESCRIBE)
            await client.until("info")
        far = GatewayOptions(port=0, protocols=WYOMING, tls_cert=cert, tls_key=key, protocols_host="0.0.0.0")
        context = ssl.create_default_context(cafile=cert)
        async with served(far) as it, dial(it, ssl=context) as client:
            client.send(SECOND, STOP)
            assert (await client.until("transcript"))["text"] == "16000 samples"

    run(scenario)


def test_a_drain_finishes_an_utterance_and_ends_the_connection() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, protocols=WYOMING)) as it, dial(it) as idle, dial(it) as busy:
            idle.send(DESCRIBE)
            await idle.until("info")
            busy.send(SECOND)
            await busy.until("transcript-start")
            await it.gateway.drain(PATIENCE)
            assert (await busy.until("transcript"))["text"] == "16000 samples"
            for client in (idle, busy):
                assert b"shutting_down" in await client.reader.read() or client is busy

    run(scenario)


def test_more_sessions_on_a_connection_than_one_may_open_come_slower() -> None:
    async def scenario() -> None:
        options = GatewayOptions(port=0, protocols=WYOMING, opens_per_minute=30)
        async with served(options, still=True) as it, dial(it) as client:
            client.send(*[event("audio-chunk", b"\0\0", rate=16000, width=2, channels=1) + STOP] * 200)
            for _ in range(30):
                await client.until("transcript")
            await until(lambda: it.count("starling_slowed_seconds_total") > 0)
            assert it.count("starling_sessions_opened_total") < 40

    run(scenario)


pieces = st.sampled_from([SECOND, STOP, DESCRIBE, SECOND[:50], event("transcribe", language="en"), b"\n"]) | st.binary(
    max_size=30
)


@settings(max_examples=25)
@given(st.lists(pieces, max_size=8))
def test_whatever_comes_no_session_is_left(sent: list[bytes]) -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, protocols=WYOMING)) as it:
            async with dial(it) as client:
                client.send(*sent)
                client.writer.write_eof()
                with suppress(ConnectionResetError):
                    await client.reader.read()
            await until(lambda: it.gateway.active == 0)
            assert not it.gateway.seats

    run(scenario)
