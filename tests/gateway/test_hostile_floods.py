"""Clients that come in crowds, or in pieces: what they take is bounded, and others do not feel them."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import zlib

import pytest
from websockets.frames import Frame, Opcode

from gateway.gateway_harness import END, START, Served, hear, run, served, until
from gateway.test_hostile_clients import NO_GATE, masked, raw, upgrade
from starling.gateway.access import network
from starling.gateway.options import GatewayOptions


async def served_as_ever(it: Served) -> None:
    """Another client has a whole session."""
    async with it.connect() as client:
        await client.send(NO_GATE)
        await client.send(bytes(32_000))
        await client.send(END)
        assert (await hear(client))[-1]["audio_seconds"] == 1.0


def test_frames_of_one_byte_add_up() -> None:
    async def scenario() -> None:
        async with served() as it:
            reader, writer = await raw(it)
            writer.write(masked(Opcode.TEXT, NO_GATE.encode()) + masked(Opcode.BINARY, b"\0") * 800)
            await served_as_ever(it)
            writer.write(masked(Opcode.TEXT, END.encode()))
            assert b'"audio_seconds":0.025' in await reader.read(-1)
            writer.close()

    run(scenario)


def test_a_frame_that_comes_byte_by_byte_is_still_one() -> None:
    async def scenario() -> None:
        async with served() as it:
            reader, writer = await raw(it)
            for byte in masked(Opcode.TEXT, START.encode()):
                writer.write(bytes([byte]))
                await writer.drain()
            assert b'"type":"ready"' in await reader.read(4096)
            writer.close()

    run(scenario)


def test_compression_is_not_agreed_to_and_a_bomb_stays_shut() -> None:
    async def scenario() -> None:
        async with served() as it:
            reader, writer = await asyncio.open_connection(it.host, it.port)
            writer.write(upgrade(it, extra="Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"))
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 101 " in head
            assert b"permessage-deflate" not in head.lower()
            bomb = zlib.compress(bytes(100_000_000), 9)[2:]
            writer.write(masked(Opcode.TEXT, NO_GATE.encode()))
            plain = masked(Opcode.BINARY, bomb)
            writer.write(bytes([plain[0] | 0x40]) + plain[1:])  # RSV1: compressed (RFC 7692 section 6)
            answer = await reader.read(-1)
            assert b'"code":"invalid_message"' in answer
            assert struct.pack("!H", 1002) in answer
            assert it.count("starling_audio_in_seconds_total") == 0
            writer.close()

    run(scenario)


def test_frames_without_a_mask_are_refused() -> None:
    async def scenario() -> None:
        async with served() as it:
            reader, writer = await raw(it)
            writer.write(Frame(Opcode.TEXT, START.encode()).serialize(mask=False))
            answer = await reader.read(-1)
            assert b'"code":"invalid_message"' in answer
            assert struct.pack("!H", 1002) in answer
            writer.close()

    run(scenario)


def test_thousands_of_upgrades_from_one_address_get_an_answer_and_take_nothing() -> None:
    async def once(it: Served) -> int:
        reader, writer = await asyncio.open_connection(it.host, it.port)
        writer.write(upgrade(it))
        status = int((await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1])
        writer.transport.abort()
        return status

    async def scenario() -> None:
        async with served(GatewayOptions(port=0, opens_per_minute=50, max_sessions_per_address=8), still=True) as it:
            found: list[int] = []
            for _ in range(40):
                found += await asyncio.gather(*(once(it) for _ in range(50)))
            assert set(found) <= {101, 429, 503}
            assert found.count(101) + found.count(503) == 50
            await until(lambda: not it.gateway.active and it.count("starling_connections") == 0)
            assert len(it.gateway.seats) == 0

    run(scenario)


def test_connections_beyond_the_limit_are_cut_and_those_before_stay() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, max_connections=20)) as it, it.connect() as client:
            await client.send(START)
            await hear(client, until="ready")
            crowd = [await asyncio.open_connection(it.host, it.port) for _ in range(100)]
            await until(lambda: it.count("starling_connections_cut_total") >= 81)
            assert it.count("starling_connections") <= 20
            await client.send(END)
            assert (await hear(client))[-1]["type"] == "done"
            for _, writer in crowd:
                writer.transport.abort()
            await until(lambda: it.count("starling_connections") <= 1)
            await served_as_ever(it)

    run(scenario)


def test_a_crowd_that_never_finishes_its_heads_is_let_go() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, head_timeout=1.0)) as it:
            crowd = [await asyncio.open_connection(it.host, it.port) for _ in range(300)]
            for _, writer in crowd:
                writer.write(b"GET / HTTP/1.1\r\nHost: loc")
            await served_as_ever(it)
            answers = []
            for reader, writer in crowd:
                with contextlib.suppress(ConnectionError):
                    answers.append(await reader.read(-1))
                writer.close()
            assert all(b"408" in answer for answer in answers if answer), "who had not said a word in time gets none"
            await until(lambda: it.count("starling_connections") == 0)

    run(scenario)


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("", ""),
    ],
)
def test_a_site_with_many_addresses_is_counted_as_one(address: str, counted_as: str) -> None:
    assert network(address) == counted_as
