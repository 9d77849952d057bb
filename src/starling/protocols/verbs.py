"""What every dialect is reduced to: the verbs a client may use, and the adapter that finds them in its frames.

An adapter is pure: no I/O, no clock. It asks its state table first and changes itself after, so that a refused frame changes
nothing.

Where a dialect lets one connection carry several sessions (``Adapter.lasts``), they follow each other: Open, ... End, and once
the adapter was told SessionDone, the next Open. What a client sends between End and SessionDone waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeAlias

from starling.core.audio import AudioFormat
from starling.core.config import SessionConfig
from starling.core.errors import StarlingError
from starling.core.ports import Capabilities
from starling.core.transcript import SessionEvent

Frame: TypeAlias = str | bytes
"""One message of a socket: text or binary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRequest:
    """What a client asks for: how its audio is encoded, its options, its own name for the session.

    ``resume``: it wants to be able to come back to the session when its connection is lost.
    """

    audio: AudioFormat = field(default_factory=AudioFormat)
    config: SessionConfig = field(default_factory=SessionConfig)
    client_ref: str | None = None
    resume: bool = False

    def configured(self, config: SessionConfig) -> OpenRequest:
        """The same with other options."""
        return replace(self, config=config)


@dataclass(frozen=True, slots=True)
class Open:
    """Begin a session. Comes once for each, before every other verb but KeepAlive, Say and Leave."""

    request: OpenRequest


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on with the session of ``token``, of which finals up to segment ``last_result`` came (-1: none).

    ``sent``: bytes of audio that went.

    Comes once, in place of Open.
    """

    token: str
    last_result: int
    sent: int


@dataclass(frozen=True, slots=True)
class Feed:
    """Audio as the client encoded it, cut anywhere."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Finalize:
    """End the open segment now."""


@dataclass(frozen=True, slots=True)
class Configure:
    """The session's options from the next segment on."""

    config: SessionConfig


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """The client is there and has nothing to say."""


@dataclass(frozen=True, slots=True)
class End:
    """No more audio comes. The session's last verb but KeepAlive and Say."""


@dataclass(frozen=True, slots=True)
class Say:
    """Answer with these frames, after whatever the verbs before it did. It needs no session."""

    frames: Sequence[Frame]


@dataclass(frozen=True, slots=True)
class Leave:
    """The connection is over, and no session is open on it. The last verb."""


Verb: TypeAlias = Open | Resume | Feed | Finalize | Configure | KeepAlive | End | Say | Leave


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a server tells its adapters about itself: what its engine can do, and the options a client gets that asks for none."""

    capabilities: Capabilities
    defaults: SessionConfig = field(default_factory=SessionConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What a client hears of its session. ``token``: to come back with within ``grace`` seconds, None if it cannot.

    ``began``: when, in seconds since 1970.
    """

    session_id: str
    trace_id: str
    token: str | None = None
    grace: float = 0.0
    began: float = 0.0


class Adapter(Protocol):
    """One client's side of a dialect."""

    @property
    def lasts(self) -> bool:
        """Whether the connection goes on when a session on it is over. Asked from End on."""

    @property
    def forgives(self) -> bool:
        """Whether a session goes on after a frame was refused; else the refusal ends it."""

    def connected(self) -> Sequence[Verb]:
        """The verbs in the connection itself, before its first frame."""

    def receive(self, frame: Frame) -> Sequence[Verb]:
        """The verbs in ``frame``, in order. Raises ClientError for a frame it cannot take; then nothing has changed."""

    def opened(self, session: Opened) -> Sequence[Frame]:
        """The session that Open asked for exists."""

    def resumed(self, session: Opened, request: OpenRequest, received: int, *, ended: bool) -> Sequence[Frame]:
        """The session that Resume asked for goes on, with the options of ``request``.

        ``received``: bytes of audio that came. ``ended``: no more of it may.
        """

    def acknowledged(self, received: int) -> Sequence[Frame]:
        """The first ``received`` bytes of audio are safe."""

    def event(self, event: SessionEvent) -> Sequence[Frame]:
        """Recognition has something to say."""

    def error(self, error: StarlingError) -> Sequence[Frame]:
        """Something went wrong; the session may go on or not."""

    def closing(self, verdict: type[StarlingError] | None) -> tuple[int, str]:
        """Code and reason of the close frame. ``verdict``: what ended the connection, None if that was its client's wish."""


def plain_closing(verdict: type[StarlingError] | None) -> tuple[int, str]:
    """As the error itself has it (RFC 6455 section 7.4)."""
    return (1000, "") if verdict is None else (verdict.close_code, verdict.code)
