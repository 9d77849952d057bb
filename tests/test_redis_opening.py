"""How Redis is opened, by the bus and by the store of jobs: what is let in, what is refused, and what is never shown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.certificates import make_certificate
from patience import PATIENCE
from processes import free_ports
from redis_server import RedisServer
from starling.bus.redis import link
from starling.bus.redis.link import Link, RedisOptions
from starling.core.errors import InvalidOption, StarlingError
from starling.jobs.redis import connection
from starling.jobs.redis.connection import Connection
from starling.redis import opening
from starling.redis.opening import FIRST_PAUSE, LONGEST_PAUSE, pause_after, redacted

Way: TypeAlias = Callable[[str], Awaitable[None]]


async def by_the_bus(url: str) -> None:
    it = Link(RedisOptions(url=url))
    try:
        await it.check()
    finally:
        await it.close()


async def by_the_jobs(url: str) -> None:
    store = Connection(url, "jobs:")
    try:
        assert await store.script("return 1") == 1
    finally:
        await store.close()


@pytest.fixture(params=[by_the_bus, by_the_jobs])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Way:
    monkeypatch.setattr(connection, "ATTEMPTS", 1)
    monkeypatch.setattr(link, "ATTEMPT", PATIENCE)
    monkeypatch.setattr(opening, "ATTEMPT", PATIENCE)
    found: Way = request.param
    return found


def opened(way: Way, url: str) -> None:
    async def scenario() -> None:
        await way(url)

    asyncio.run(scenario())


def refused(way: Way, url: str) -> str:
    with pytest.raises(StarlingError) as error:
        opened(way, url)
    assert "secret" not in error.value.message
    return error.value.message


def test_one_that_evicts_is_refused(way: Way) -> None:
    with RedisServer("--maxmemory-policy", "allkeys-lru", "--maxmemory", "100mb") as server:
        assert "noeviction" in refused(way, server.url)


def test_wrong_credentials_are_said_and_not_shown(way: Way) -> None:
    with RedisServer() as server:
        opened(way, server.url)
        server.command("CONFIG SET requirepass right")
        assert "credentials" in refused(way, f"{server.url}?password=secret")
        assert "credentials" in refused(way, server.url)
        opened(way, f"{server.url}?password=right")


def test_over_tls_the_server_must_be_who_it_says(way: Way, tmp_path: Path) -> None:
    [port] = free_ports(1)
    certificate, key = make_certificate(tmp_path)
    words = ("--tls-port", str(port), "--tls-auth-clients", "no", "--tls-cert-file", str(certificate), "--tls-key-file", str(key))
    with RedisServer(*words) as server:
        server.command("CONFIG SET requirepass secret")
        opened(way, f"rediss://:secret@localhost:{port}/0?ssl_ca_certs={certificate}")
        refused(way, f"rediss://:secret@localhost:{port}/0")


@pytest.mark.parametrize(
    "url",
    [
        "http://user:secret@localhost",
        "redis://:secret@localhost:secret/0",
        "redis://[::secret",
        "redis://localhost/0?secret=secret",
        "redis://localhost/0?password=secret&decode_responses=1",
        "rediss://localhost/0?ssl_cert_reqs=secret",
        "user:secret@localhost",
    ],
)
def test_what_is_no_address_is_refused_at_once(way: Way, url: str) -> None:
    assert "must look like redis://host:6379/0" in refused(way, url)


@pytest.mark.parametrize("make", [lambda url: Link(RedisOptions(url=url, setting="bus.store")), lambda url: Connection(url, "")])
def test_the_setting_is_named(make: Callable[[str], object]) -> None:
    with pytest.raises(InvalidOption, match=r"^(bus|jobs)\.store must look like"):
        make("redis://localhost:port")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:secret@host:6379/0", "redis://host:6379/0"),
        ("rediss://:secret@[::1]:6379/2?password=secret", "rediss://[::1]:6379/2"),
        ("unix://user:secret@/run/redis.sock?password=secret", "unix:///run/redis.sock"),
        ("redis://host", "redis://host"),
        ("redis://:secret?@host", "..."),
        ("user:secret@host", "..."),
    ],
)
def test_credentials_are_not_shown(url: str, shown: str) -> None:
    assert redacted(url) == shown


@given(st.text("xyz#?/@:[]%&= ", min_size=1))
@example("x?y")
@example("x@y?z")
def test_no_part_of_a_password_is_shown_however_it_is_written(password: str) -> None:
    for url in (f"redis://me:{password}@host/0", f"redis://:{password}@host/0", f"redis://host/0?password={password}"):
        assert not set("xyz") & set(redacted(url))


def test_pauses_grow_and_no_further() -> None:
    assert FIRST_PAUSE / 2 <= pause_after(0) <= FIRST_PAUSE
    for failures in (6, 100, 10**6):
        assert LONGEST_PAUSE / 2 <= pause_after(failures) <= LONGEST_PAUSE
