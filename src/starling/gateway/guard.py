"""Keeps web pages of other sites away from a server on the user's own machine.

A page may open a WebSocket to any host; only the Origin header tells (RFC 6455 section 10.2). And a page may point a name of its
own at 127.0.0.1 (DNS rebinding), which its Host header gives away.
"""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from starling.core.errors import Forbidden
from starling.gateway.options import GatewayOptions

LOOPBACK_NAMES: Final = frozenset({"localhost", "localhost.localdomain"})


class Guard:
    """Decides by a request's Host and Origin headers."""

    def __init__(self, options: GatewayOptions) -> None:
        self._hosts = LOOPBACK_NAMES | {options.host.lower()} | {name.lower() for name in options.allowed_hosts}
        self._origins = frozenset(origin.lower().rstrip("/") for origin in options.allowed_origins)

    def check_host(self, host: str | None) -> None:
        """Raises Forbidden when ``host`` is a name this server does not go by. An address is no name: rebinding needs a name.

        A client that sends none is no browser, and may pass.
        """
        if host is None or "*" in self._hosts:
            return
        name = _hostname(host)
        if name not in self._hosts and not _is_address(name):
            raise Forbidden(f"this server does not go by the name in the Host header, {host[:100]!r}; add it to allowed_hosts")

    def check_origin(self, origin: str | None, host: str | None) -> None:
        """Raises Forbidden when ``origin`` is a page of another site. What is not a browser sends no Origin and may pass."""
        if origin is None or "*" in self._origins:
            return
        origin = origin.lower()
        if origin in self._origins or (host is not None and _authority(origin) == host.lower()):
            return
        raise Forbidden(f"pages of {origin[:100]!r} may not use this server; add it to allowed_origins")


def _authority(origin: str) -> str | None:
    """``host:port`` of a web origin; None for any other, ``null`` among them."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return parts.netloc if parts.scheme in {"http", "https"} else None


def _hostname(host: str) -> str:
    """The host of ``host[:port]``, in lower case, an IPv6 address without its brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower().rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
