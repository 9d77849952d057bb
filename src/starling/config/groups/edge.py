"""Where clients come in, who they are and how fast they may be; and what Starling shows where it is the client."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from starling.config.groups.group import Group, setting


class Server(Group):
    """Where the server listens, whom it lets in, and how long it is patient."""

    host: str = setting("127.0.0.1", "address to listen on; `0.0.0.0` for every network, which needs API keys")
    port: int = setting(8000, "TCP port; 0 takes any free one", low=0, high=65535)
    tls_cert: Path | None = setting(
        None, "file of the certificate and its chain, in PEM; with it the server speaks `https` and `wss` only"
    )
    tls_key: Path | None = setting(None, "file of its private key, in PEM, where the certificate's file does not have it")
    allowed_origins: tuple[str, ...] = setting(
        (), "web pages of other sites that may connect, as `https://example.org`; `*` is any. This server's own always may"
    )
    allowed_hosts: tuple[str, ...] = setting(
        (),
        "names of this server besides `localhost`, `server.host` and addresses; `*` is any. Keeps out DNS rebinding",
    )
    protocols: tuple[str, ...] = setting(
        (),
        "protocols of other servers to speak besides Starling's own, as `vosk`, `vosk:2701` (another port than the other "
        "server's; 0 takes any free one) or `all`; see docs/protocols",
    )
    protocols_host: str = setting(
        "127.0.0.1",
        "address for those that have a port of their own. Most know no keys, so on loopback they ask for none; on any other "
        "address clients show keys as elsewhere",
    )
    max_sessions: int = setting(
        512,
        "sessions open at once, silent ones included; how many may talk is measured. One more is refused with `Retry-After`",
        unit="sessions",
        low=1,
        high=100_000,
    )
    max_sessions_per_address: int = setting(
        64, "the same for one client address; behind a proxy all clients share one", unit="sessions", low=1, high=100_000
    )
    max_connections: int = setting(
        4096, "sockets open at once, with or without a session", unit="connections", low=8, high=1_000_000
    )
    max_frame_bytes: int = setting(1_048_576, "largest WebSocket message", unit="bytes", low=4096, high=16_777_216)
    idle_timeout: float = setting(
        60.0, "close a session that sent neither audio nor a keepalive", unit="seconds", low=1, high=3600
    )
    start_timeout: float = setting(
        10.0, "close a connection that sent nothing since it opened", unit="seconds", low=0.5, high=300
    )
    send_timeout: float = setting(
        10.0, "close a session whose client does not read its results", unit="seconds", low=0.5, high=300
    )
    resume_grace: float = setting(
        30.0, "time for a client to come back after its connection was lost", unit="seconds", low=0.1, high=3_600
    )
    max_session_seconds: float = setting(14_400.0, "longest session, and most audio in one", unit="seconds", low=1, high=604_800)
    drain_grace: float = setting(
        10.0, "time for open segments to finish after SIGTERM or Ctrl-C", unit="seconds", low=0, high=600
    )


class AuthMode(StrEnum):
    """Whether clients must show an API key."""

    AUTO = "auto"
    KEYS = "keys"
    OPEN = "open"


class Auth(Group):
    """API keys. `starling keys` makes and revokes them; SECURITY.md says what they protect."""

    mode: AuthMode = setting(
        AuthMode.AUTO,
        "`keys` wants an API key of every client, `open` of nobody; `auto` is `keys` if there are some at the start, "
        "and otherwise `open`, on loopback only",
    )
    keys_file: str = setting("~/.config/starling/keys.json", "where keys and the limits of tenants are; it holds hashes only")


class Limits(Group):
    """How fast clients may come and send. Who sends too fast is slowed down; who comes too often is refused."""

    opens_per_minute: int = setting(
        3000,
        "upgrades of one address, and of one API key; those that come back to their sessions, and recordings that are handed in, "
        "are counted apart",
        unit="sessions",
        low=1,
        high=1_000_000,
    )
    failures_per_minute: int = setting(
        30, "wrong API keys of one address before it is told to wait", unit="attempts", low=1, high=100_000
    )
    messages_per_second: float = setting(
        1000.0, "WebSocket messages of one connection, over some seconds", unit="messages", low=10, high=1_000_000
    )
    audio_speed: float = setting(
        100.0, "audio that one connection may send for long", unit="times real time", low=1, high=1_000_000
    )
    audio_burst: float = setting(600.0, "audio that it may send at a stroke", unit="seconds", low=1, high=86_400)
    max_lag_seconds: float = setting(
        1800.0,
        "audio that recognition has yet to take; beyond it no session begins",
        unit="seconds",
        low=10,
        high=1_000_000,
    )


class Client(Group):
    """What `stream` and `mic` show a server. A key on a command line can be seen by others on the machine: set the variable."""

    api_key: str | None = setting(None, "API key for the server; `STARLING_API_KEY` is short for its variable", secret=True)
    callback_secret: str | None = setting(None, "signs what servers tell the `--callback` of a recording", secret=True)
    ca: Path | None = setting(None, "file of certificates, in PEM, by which a `wss` server may be vouched for")
