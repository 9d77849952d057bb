"""Where spans are sent, and with what: read from what a person wrote. Pure, and quick to load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from starling.core.errors import InvalidOption

PATH: Final = "/v1/traces"
"""Where a collector takes spans, below its base URL."""

_HEADER: Final = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorOptions:
    """``url``: where spans are sent to, whole. ``headers``: what they are sent with; may be secret. ``timeout``: seconds of one
    attempt to connect, to send or to read. ``ca``: a file of certificates that vouch for the collector; None: the system's.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float = 10.0
    gzip: bool = False
    ca: Path | None = None

    @property
    def place(self) -> str:
        """Scheme, host and port, for logs."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"


def endpoint_of(given: str) -> str:
    """Where spans go, from the URL of a collector: ``/v1/traces`` below it, unless that stands there.

    Raises InvalidOption for what is no URL of HTTP, or has a password in it.
    """
    try:
        parts = urlsplit(given)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or not given.isascii():
        raise InvalidOption(
            "telemetry.otlp_endpoint: expected the URL of a collector that takes OTLP over HTTP, as http://localhost:4318"
        )
    if "@" in parts.netloc:
        raise InvalidOption("telemetry.otlp_endpoint: a URL is shown in logs; put credentials into telemetry.otlp_headers")
    return given if parts.path.endswith(PATH) else given.rstrip("/") + PATH


def headers_of(given: str) -> dict[str, str]:
    """``name=value,name=value``, percent-encoded, as OTEL_EXPORTER_OTLP_HEADERS has it.

    Raises InvalidOption, which quotes no value.
    """
    headers: dict[str, str] = {}
    for member in filter(None, (member.strip() for member in given.split(","))):
        name, equals, value = member.partition("=")
        name, value = name.strip(), unquote(value.strip())
        if not equals or not name or not set(name) <= _HEADER or not (value.isascii() and value.isprintable()):
            raise InvalidOption(
                "telemetry.otlp_headers: expected name=value, with commas between them; got something else (hidden)"
            )
        headers[name] = value
    return headers
