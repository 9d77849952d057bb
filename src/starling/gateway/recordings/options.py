"""What the HTTP side of recorded audio allows."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from starling.core.errors import InvalidOption

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

POSITIVE: Final = (
    "max_bytes",
    "max_duration",
    "max_uploads",
    "max_waiting",
    "max_streams",
    "idle_timeout",
    "min_bytes_per_second",
    "probe_timeout",
    "wait_timeout",
    "fetch_timeout",
    "callback_timeout",
    "callback_attempts",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingOptions:
    """Limits; all times are seconds.

    ``max_bytes``: of one recording; ``max_duration``: of one, as its header says. ``max_uploads``: that come in at once;
    ``max_waiting``: requests that wait for their text at once; ``max_streams``: that follow jobs at once.
    ``idle_timeout``: without a byte of an upload, or with nothing read of what is sent; ``min_bytes_per_second``: of an upload,
    on average after that time. ``probe_timeout``: for reading a recording's header. ``wait_timeout``: how long a request waits
    for its text. ``heartbeat``: between signs of life to who follows a job; ``stream_timeout``: after which it has to come again.
    ``allow_urls``: recordings may be fetched, and callbacks told. ``allowed_networks``: where to, besides public addresses.
    ``fetch_timeout``: for a whole recording. ``callback_timeout``: for one attempt; ``callback_attempts``: before it is given up.
    ``callback_secret``: signs what is told to callbacks that came without a secret of their own.
    Raises InvalidOption for a value out of range.
    """

    max_bytes: int = 2 << 30
    max_duration: float = 12 * 3600.0
    max_uploads: int = 64
    max_waiting: int = 256
    max_streams: int = 256
    idle_timeout: float = 30.0
    min_bytes_per_second: float = 1000.0
    probe_timeout: float = 10.0
    wait_timeout: float = 600.0
    heartbeat: float = 15.0
    stream_timeout: float = 3600.0
    allow_urls: bool = False
    allowed_networks: tuple[Network, ...] = ()
    fetch_timeout: float = 600.0
    callback_timeout: float = 10.0
    callback_attempts: int = 12
    callback_secret: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        for name in POSITIVE:
            if not getattr(self, name) > 0:
                raise InvalidOption(f"{name} must be more than 0, got {getattr(self, name)}")


def networks(names: tuple[str, ...]) -> tuple[Network, ...]:
    """``10.0.0.0/8`` and the like. Raises InvalidOption for what is none."""
    try:
        return tuple(ipaddress.ip_network(name) for name in names)
    except ValueError as error:
        raise InvalidOption(f"jobs.allowed_networks: expected networks such as 10.0.0.0/8 or fd00::/8: {error}") from None
