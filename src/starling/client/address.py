"""Where a server is: what people type, and the WebSocket URL it means."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

from starling.core.errors import InvalidOption

STREAM_PATH = "/v1/stream"
"""Where the native protocol is served."""

DEFAULT_URL = "ws://127.0.0.1:8000"

_SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
_PLAIN = {"ws": "http", "wss": "https", "http": "http", "https": "https"}


def stream_url(address: str) -> str:
    """The WebSocket URL of ``address``: ``ws``, ``wss``, ``http`` or ``https``, or just ``host:port``.

    Without a path it is that of the native protocol. Raises InvalidOption for anything else.
    """
    parts = _parts(address)
    path = parts.path if parts.path not in {"", "/"} else STREAM_PATH
    return parts._replace(scheme=_SCHEMES[parts.scheme], path=path, fragment="").geturl()


def plain_url(address: str, path: str) -> str:
    """The ``http`` or ``https`` URL of ``path`` at the server of ``address``, which is as ``stream_url`` takes it."""
    parts = _parts(address)
    return parts._replace(scheme=_PLAIN[parts.scheme], path=path, query="", fragment="").geturl()


def returning(url: str) -> str:
    """Where a client of ``url`` comes back to its session."""
    parts = urlsplit(url)
    return parts._replace(query=f"{parts.query}&resume" if parts.query else "resume").geturl()


def is_loopback(url: str) -> bool:
    """Whether ``url`` names this very machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _parts(address: str) -> SplitResult:
    try:
        parts = urlsplit(address if "://" in address else f"ws://{address}")
        if parts.scheme in _SCHEMES and parts.hostname and parts.port != 0:
            return parts
    except ValueError:
        pass
    raise InvalidOption(f"expected a server address such as {DEFAULT_URL} or host:8000, got {address!r}")
