"""Requests to where a stranger's URL leads: the address that is checked is the one that is connected to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.gateway_harness import run
from starling.core.errors import InvalidOption, StarlingError
from starling.gateway.recordings.egress import MAX_REDIRECTS, Egress, Unreached
from starling.gateway.recordings.options import networks

LOOPBACK = networks(("127.0.0.0/8",))


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[tuple[int, list[str]]]:
    """A server that gives ``answers`` to its connections, in turn; its port and the heads that came."""
    heads: list[str] = []
    left = list(answers)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(left.pop(0) if left else b"HTTP/1.1 500 Gone\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], heads


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def moved(to: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


async def read(egress: Egress, url: str) -> bytes:
    async with egress.get(url, idle=10) as answer:
        assert answer.status == 200
        return b"".join([chunk async for chunk in answer.body])


def test_a_name_is_resolved_once_and_its_address_connected_to() -> None:
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> list[str]:
        """Each time another address: what was checked must be what is connected to."""
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    async def scenario() -> None:
        async with answering(ok(b"sound")) as (port, heads):
            egress = Egress(LOOPBACK, rebinding)
            assert await read(egress, f"http://recordings.example:{port}/a?b=c") == b"sound"
            assert asked == ["recordings.example"]
            assert heads[0].startswith("GET /a?b=c HTTP/1.1\r\n")
            assert f"\r\nHost: recordings.example:{port}\r\n" in heads[0]

    run(scenario)


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["169.254.169.254"], ["::ffff:10.0.0.1"], ["1.1.1.1", "10.0.0.1"], ["::1"]])
def test_a_name_with_a_private_address_is_not_connected_to(addresses: list[str]) -> None:
    async def private(host: str, port: int) -> list[str]:
        return addresses

    async def scenario() -> None:
        async with answering(ok(b"secret")) as (_, heads):
            with pytest.raises(InvalidOption, match="not public"):
                await read(Egress((), private), "http://harmless.example/")
            with pytest.raises(InvalidOption, match="not public"):
                await Egress((), private).post("http://harmless.example/", {}, b"{}", idle=5)
            assert not heads

    run(scenario)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "[::1]", "2130706433", "0x7f.1", "127.1", "017700000001"])
def test_no_spelling_of_this_machine_is_reached(host: str) -> None:
    async def scenario() -> None:
        async with answering(ok(b"secret")) as (port, heads):
            with pytest.raises(StarlingError):
                await read(Egress(), f"http://{host}:{port}/")
            assert not heads

    run(scenario)


def test_redirects_are_checked_like_the_first_address() -> None:
    async def names(host: str, port: int) -> list[str]:
        return {"good.example": ["127.0.0.1"], "bad.example": ["192.168.0.1"]}[host]

    async def scenario() -> None:
        async with answering(moved("http://bad.example/")) as (port, heads):
            with pytest.raises(InvalidOption, match="not public"):
                await read(Egress(LOOPBACK, names), f"http://good.example:{port}/")
            assert len(heads) == 1
        async with answering(moved("/b"), ok(b"there")) as (port, heads):
            assert await read(Egress(LOOPBACK, names), f"http://good.example:{port}/a") == b"there"
        async with answering(*[moved("/on")] * 9) as (port, heads):
            with pytest.raises(Unreached, match="leads on"):
                await read(Egress(LOOPBACK, names), f"http://good.example:{port}/")
            assert len(heads) == MAX_REDIRECTS + 1
        async with answering(moved("file:///etc/passwd")) as (port, heads):
            with pytest.raises(InvalidOption, match="http"):
                await read(Egress(LOOPBACK, names), f"http://good.example:{port}/")

    run(scenario)


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort"])
def test_a_broken_answer_is_a_clear_error(answer: bytes) -> None:
    async def scenario() -> None:
        async with answering(answer) as (port, _):
            with pytest.raises(Unreached, match="check it"):
                await read(Egress(LOOPBACK), f"http://127.0.0.1:{port}/")

    run(scenario)


def test_a_callback_is_posted_and_never_redirected() -> None:
    async def scenario() -> None:
        async with answering(b"HTTP/1.1 204 Fine\r\n\r\n", moved("/elsewhere")) as (port, heads):
            url = f"http://127.0.0.1:{port}/told"
            assert await Egress(LOOPBACK).post(url, {"Content-Type": "application/json"}, b"{}", idle=5) == 204
            assert await Egress(LOOPBACK).post(url, {}, b"{}", idle=5) == 302
            assert len(heads) == 2
            assert "content-length: 2" in heads[0].lower()

    run(scenario)
