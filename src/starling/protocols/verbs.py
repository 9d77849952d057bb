"""What every dialect is reduced to: the verbs a client may use, and the adapter that finds them in its frames.

An adapter is pure: no I/O, no clock. It asks its state table first and changes itself after, so that a refused frame changes
nothing.
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
    """Begin a session. Comes once, before every other verb but KeepAlive."""

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
    """No more audio comes. The last verb but KeepAlive."""


Verb: TypeAlias = Open | Resume | Feed | Finalize | Configure | KeepAlive | End


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a server tells its adapters about itself: what its engine can do, and the options a client gets that asks for none."""

    capabilities: Capabilities
    defaults: SessionConfig = field(default_factory=SessionConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What a client hears of its session. ``token``: to come back with within ``grace`` seconds, None if it cannot."""

    session_id: str
    trace_id: str
    token: str | None = None
    grace: float = 0.0


class Adapter(Protocol):
    """One client's side of a dialect."""

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
