"""Where this server may be sent by a stranger's URL: to public addresses over HTTP, and nowhere else (CWE-918). Pure.

What is checked is the address that is then connected to, so that neither a name that resolves to a private address, nor one that
resolves differently a moment later (DNS rebinding), nor a redirect leads anywhere else.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import SplitResult, urljoin, urlsplit

from starling.core.errors import InvalidOption
from starling.gateway.recordings.options import Network

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

SCHEMES: Final = {"http": 80, "https": 443}
PORTS: Final = frozenset({80, 443, 8080, 8443})
"""Of public addresses: those where web servers are. A port is no way to other services."""

MAX_URL: Final = 2048

NAT64: Final = tuple(ipaddress.IPv6Network(name) for name in ("64:ff9b::/96", "64:ff9b:1::/48"))
"""IPv6 addresses that a translator turns into the IPv4 address in their last 32 bits (RFC 6052, RFC 8215)."""

CARRIER: Final = ipaddress.IPv4Network("100.64.0.0/10")
"""Shared address space behind a carrier (RFC 6598); clouds have their metadata there, too."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that may be tried. ``authority``: for the Host header. ``path``: with the query."""

    scheme: str
    host: str
    port: int
    authority: str
    path: str

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def target(url: str, what: str = "url") -> Target:
    """``url`` in parts, before its name is resolved. Raises InvalidOption for one that is not for here; ``what`` it is."""
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise InvalidOption(f"{what} must be at most {MAX_URL} printable ASCII characters without spaces")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidOption(f"{what} must be a URL such as https://example.org/call.mp3") from None
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise InvalidOption(f"{what} must begin with http:// or https:// and name a host, got scheme {parts.scheme[:20]!r}")
    if parts.username is not None or parts.password is not None:
        raise InvalidOption(f"{what} must not hold a user or password: leave them out")
    if port == 0:
        raise InvalidOption(f"{what} must have a port from 1 to 65535, got 0")
    return Target(parts.scheme, parts.hostname, port or SCHEMES[parts.scheme], _authority(parts), _path(parts))


def redirected(origin: Target, location: str, what: str = "url") -> Target:
    """Where ``location`` leads from ``origin``. Raises InvalidOption as ``target``, and for a step from https down to http."""
    found = target(urljoin(origin.url, location), what)
    if origin.scheme == "https" and found.scheme == "http":
        raise InvalidOption(f"{what} leads from https to http: name the last address itself")
    return found


def permitted(address: str, port: int, allowed: tuple[Network, ...]) -> bool:
    """Whether ``address``, as it came out of a resolver, may be connected to."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    meant = embedded(parsed)
    if any(meant.version == network.version and meant in network for network in allowed):
        return True
    return port in PORTS and _is_public(parsed) and _is_public(meant)


def embedded(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one that stands for it (mapped, 6to4, Teredo, NAT64, compatible); else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in NAT64) or (int(address) >> 32 == 0 and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and (address.ipv4_mapped or any(address in network for network in NAT64)):
        return True  # what it stands for is judged
    if address.version == 4 and address in CARRIER:  # noqa: PLR2004
        return False
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not address.is_unspecified
        and not getattr(address, "is_site_local", False)
    )


def _authority(parts: SplitResult) -> str:
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    return shown if parts.port is None else f"{shown}:{parts.port}"


def _path(parts: SplitResult) -> str:
    path = parts.path or "/"
    return f"{path}?{parts.query}" if parts.query else path
