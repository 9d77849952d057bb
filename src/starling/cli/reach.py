"""Who can reach a server, what it asks of them, and under which address a person opens it."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from starling.config.doctor import Check
    from starling.config.settings import Settings

WILDCARDS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - compared with, not listened on
"""Hosts that mean every address of the machine, and the one of them that leads from the machine to itself."""

FAR: Final = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses that nobody has (RFC 5737, RFC 3849), for asking which of ours leads out. Nothing is sent to them."""


def to_open(url: str) -> str:
    """``url`` of a server as it can be opened here: every address of the machine is no address to open."""
    here = WILDCARDS.get(urlsplit(url).hostname or "")
    return url if here is None else _at(url, here)


def outward() -> Iterator[str]:
    """Addresses of this machine as its networks know them, IPv4 first; none where it is on no network."""
    for family, far in FAR.items():
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))  # of UDP: chooses a route, sends nothing
            yield probe.getsockname()[0]


def for_others(url: str, names: Iterable[str]) -> str | None:
    """How others open a server at every address of this machine, which is what ``url`` says; None for any other, and where
    nothing is known.

    ``names``: names and addresses that the server answers to; the first of its kind is taken.
    """
    host = urlsplit(url).hostname or ""
    if host not in WILDCARDS:
        return None
    for name in names:
        if name != "*" and (":" not in name or host != "0.0.0.0"):  # noqa: S104 - as above; that is IPv4 alone
            return _at(url, f"[{name}]" if ":" in name else name)
    return None


def _at(url: str, host: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{host}:{parts.port}").geturl()


def exposure(host: str, *, asks_for_keys: bool) -> str | None:
    """The warning for a server that listens on ``host``; None where only this machine reaches it, or keys are asked for."""
    if asks_for_keys or _is_loopback(host):
        return None
    return (
        f"warning: no API keys are asked for: anyone who reaches {host or 'this machine'} may use this server (see SECURITY.md)"
    )


def check_access(settings: Settings) -> Check:
    """Whom a server with ``settings`` would let in: the finding for `starling doctor`."""
    from starling.app.options import keys_file
    from starling.auth.keyfile import read_keyfile
    from starling.config.doctor import Check, Status
    from starling.core.errors import StarlingError

    try:
        path = keys_file(settings)
        if path is not None:
            count = len(read_keyfile(path).keys)
            return Check("access", Status.OK, f"asks every client for an API key; {path} has {count}")
    except StarlingError as error:
        return Check("access", Status.FAIL, error.message)
    if exposed := exposure(settings.server.host, asks_for_keys=False):
        return Check("access", Status.WARN, exposed.removeprefix("warning: "), "make a key with `starling keys create NAME`")
    return Check("access", Status.OK, "asks for no API keys; only this machine reaches it")


def check_bus(settings: Settings) -> Check:
    """Whether gateways and recognizers could share what ``bus.url`` leads to: the finding for `starling doctor`."""
    import asyncio

    from starling.app.kafka import kafka_cluster
    from starling.app.redis import redis_link
    from starling.config.doctor import Check, Status
    from starling.core.errors import StarlingError

    async def check() -> str:
        async with redis_link(settings) as link, kafka_cluster(settings) as cluster:
            members = await link.command("ZCARD", f"{link.prefix}recognizers")
            found = f"Redis at {link.address} answers and keeps what it is given; {members} recognizers are known there"
            return found if cluster is None else f"Kafka at {cluster.address} answers. {found}"

    try:
        return Check("bus", Status.OK, asyncio.run(check()))
    except StarlingError as error:
        return Check("bus", Status.FAIL, error.message, "gateways and recognizers cannot start; `starling serve` needs no Redis")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
