"""What a gateway allows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from starling.core.config import SessionConfig
from starling.core.errors import InvalidOption
from starling.protocols.dialects import Spoken
from starling.vad.gate import GateOptions

MAX_PORT: Final = 65_535

POSITIVE_TIMES: Final = (
    "head_timeout",
    "start_timeout",
    "idle_timeout",
    "send_timeout",
    "finish_timeout",
    "resume_grace",
    "max_session_seconds",
)

COUNTS: Final = (
    "max_sessions",
    "max_sessions_per_address",
    "max_frame_bytes",
    "max_head_bytes",
    "max_backlog",
    "failures_per_minute",
    "opens_per_minute",
    "max_connections",
)
RATES: Final = ("messages_per_second", "audio_speed", "audio_burst", "max_lag_seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayOptions:
    """Limits and addresses. All times are seconds.

    ``port`` 0 takes a free one. ``defaults``: options of a session that does not choose. ``gate``: of silence; its hangover
    is stretched where a session's endpoint silence needs it. ``max_sessions`` and ``max_sessions_per_address``: sockets at once.
    ``max_frame_bytes``: of one message; ``max_head_bytes``: of a request's head.
    ``head_timeout``, ``start_timeout``, ``idle_timeout``: how long a request's head, a session's first frame, and any further
    frame may take. ``send_timeout``: how long a client may take nothing of what is sent to it. ``finish_timeout``: how long
    recognition may take to finish after the last audio. ``resume_grace``: how long a session waits for a client
    that lost its connection. ``max_session_seconds``: how long a session may last, and how much audio
    it may have. ``max_backlog``: results that wait for the client before its audio is left unread. ``retry_after``: what a client
    refused for load is told to wait.
    ``keys_file``: of API keys, None to ask for none. ``tls_cert`` and ``tls_key``: files in PEM; None for none.
    ``failures_per_minute``: attempts of an address with wrong keys that are answered as such; ``opens_per_minute``: upgrades of
    an address, and of a key. ``messages_per_second``: of one connection. ``audio_speed``: times real time at which one connection
    may send for long, and ``audio_burst`` the seconds of audio it may send at a stroke; faster ones are left unread.
    ``max_lag_seconds``: of audio staged over all sessions, beyond which no new one begins. ``max_connections``: sockets at once,
    idle ones included.
    ``protocols``: dialects of other servers that are spoken; those with a port of their own on ``protocols_host``.
    ``allowed_hosts``: names in a Host header besides the loopback's, ``host`` and addresses; ``*`` allows any.
    ``allowed_origins``: origins of web pages, such as ``https://captions.example``, besides the server's own; ``*`` allows any.
    Raises InvalidOption for a value out of range.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    defaults: SessionConfig = field(default_factory=SessionConfig)
    gate: GateOptions = field(default_factory=GateOptions)
    max_sessions: int = 512
    max_sessions_per_address: int = 64
    max_frame_bytes: int = 1 << 20
    max_head_bytes: int = 1 << 16
    head_timeout: float = 10.0
    start_timeout: float = 10.0
    idle_timeout: float = 60.0
    send_timeout: float = 10.0
    finish_timeout: float = 60.0
    resume_grace: float = 30.0
    max_session_seconds: float = 4 * 3600.0
    max_backlog: int = 64
    retry_after: float = 2.0
    keys_file: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    failures_per_minute: int = 30
    opens_per_minute: int = 3000
    messages_per_second: float = 1000.0
    audio_speed: float = 100.0
    audio_burst: float = 600.0
    max_lag_seconds: float = 1800.0
    max_connections: int = 4096
    protocols: tuple[Spoken, ...] = ()
    protocols_host: str = "127.0.0.1"
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in COUNTS:
            if getattr(self, name) < 1:
                raise InvalidOption(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in RATES:
            if not getattr(self, name) > 0:
                raise InvalidOption(f"{name} must be more than 0, got {getattr(self, name)}")
        if self.tls_key is not None and self.tls_cert is None:
            raise InvalidOption("expected tls_cert beside tls_key, got the key alone: name the certificate too")
        for name in POSITIVE_TIMES:
            if not getattr(self, name) > 0:
                raise InvalidOption(f"{name} must be more than 0 seconds, got {getattr(self, name)}")
        if not 0 <= self.port <= MAX_PORT:
            raise InvalidOption(f"port must be between 0 and {MAX_PORT}, got {self.port}")
        if not self.retry_after >= 0:
            raise InvalidOption(f"retry_after must not be negative, got {self.retry_after}")
