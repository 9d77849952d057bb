"""Who can reach a server, and under which address a person on this machine opens it."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

WILDCARDS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - compared with, not listened on
"""Hosts that mean every address of the machine, and the one of them that leads from the machine to itself."""


def to_open(url: str) -> str:
    """``url`` of a server as it can be opened here: every address of the machine is no address to open."""
    parts = urlsplit(url)
    here = WILDCARDS.get(parts.hostname or "")
    return url if here is None else parts._replace(netloc=f"{here}:{parts.port}").geturl()


def exposure(host: str, *, asks_for_keys: bool) -> str | None:
    """The warning for a server that listens on ``host``; None where only this machine reaches it, or keys are asked for."""
    if asks_for_keys or _is_loopback(host):
        return None
    return (
        f"warning: no API keys are asked for: anyone who reaches {host or 'this machine'} may use this server (see SECURITY.md)"
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
