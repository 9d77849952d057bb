"""What speakers of all protocols share: where the server is, what they say when, and how they tell what they hear."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from starling.core.audio import Samples


class Hear(Protocol):
    """Called with every text."""

    def __call__(self, *, final: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Said:
    """A chunk of audio. ``last``: with which the speech of its turn ends; ``pause``: after that."""

    audio: Samples
    last: bool = False
    pause: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A server. ``tls``: None for a plain one; ``ca``: in PEM, for who makes a context of its own."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    ca: bytes | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)

    @property
    def authority(self) -> str:
        """``host:port``."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


Speak: TypeAlias = Callable[[Place, AsyncIterator[Said], Hear], Awaitable[None]]
"""Says all of it in one protocol, and returns once the server has answered the end. Raises OSError, NoRoom and Garbled."""


class NoRoom(Exception):
    """The server has no room, or does not want this client."""


class Garbled(Exception):
    """The server said an error, or something that the protocol has not."""
