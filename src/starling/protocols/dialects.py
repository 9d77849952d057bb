"""What a server needs to know of a dialect of another server before a client speaks it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starling.core.errors import InvalidOption, StarlingError
from starling.protocols.calls import Service
from starling.protocols.foreign import Head, authorization
from starling.protocols.verbs import Adapter, Offer

ALL: Final = "all"
MAX_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a request that is refused before it becomes a WebSocket. ``body``: to be sent as JSON.

    Status, ``Retry-After`` and ``WWW-Authenticate`` are those of the error and not said here.
    """

    body: Mapping[str, Any]
    headers: Mapping[str, str] | None = None


def plain_refusal(error: StarlingError) -> Refusal:
    """As the native protocol has it."""
    return Refusal({"error": {"code": error.code, "message": error.message, "retryable": error.retryable}})


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """``adapter``: made for each connection; raises ClientError for a request that it cannot take.

    ``port``: the one that the other server listens on, where every path is the dialect's; None for a dialect that shares the
    main port, where ``paths`` are.
    ``credential``: finds the API key that a request shows. ``has_keys``: the dialect itself has a place for one. Where it has
    not, its port is on loopback unless told otherwise, and programs of this machine need no key there. ``has_secrets``: client
    secrets may stand for a key.
    ``subprotocol``: the one to agree to. ``accepted``: headers of the acceptance, by the trace id of the (first) session.
    ``refusal``: how a request is refused. ``refuses_inside``: not at all; instead the
    connection is accepted, its opening awaited, and the adapter says the error.
    ``idle_timeout``: seconds that a client may be silent, instead of the server's.
    ``body``: for a dialect of plain TCP instead of WebSockets, where messages begin with a line: how many bytes follow that line.
    Raises InvalidMessage for what is no such line. A message is one frame, the line and its end included. There is no request:
    the head is empty, and refusals are said by the adapter.
    ``service``: for a dialect of gRPC instead of WebSockets, on a port of its own. The head of a call has its path and metadata;
    a call is refused by its status.
    """

    name: str
    adapter: Callable[[Offer, Head], Adapter]
    port: int | None = None
    paths: tuple[str, ...] = ()
    credential: Callable[[Head], str | None] = authorization
    has_keys: bool = False
    has_secrets: bool = False
    subprotocol: Callable[[Sequence[str]], str | None] = lambda _: None
    accepted: Callable[[str], Mapping[str, str]] = lambda _: {}
    refusal: Callable[[StarlingError], Refusal] = plain_refusal
    refuses_inside: bool = False
    idle_timeout: float | None = None
    body: Callable[[bytes], int] | None = None
    service: Service | None = None


@dataclass(frozen=True, slots=True)
class Spoken:
    """A dialect that a server speaks. ``port``: None for one on the main port, 0 for any that is free."""

    dialect: Dialect
    port: int | None


def spoken(entries: Sequence[str], known: Sequence[Dialect]) -> tuple[Spoken, ...]:
    """The dialects that ``entries`` name: ``NAME``, ``NAME:PORT`` or ``all``. Raises InvalidOption for others."""
    by_name = {dialect.name: dialect for dialect in known}
    found: dict[str, Spoken] = {}
    for entry in entries:
        name, colon, port = entry.strip().partition(":")
        if name == ALL and not colon:
            found = {dialect.name: Spoken(dialect, dialect.port) for dialect in known} | found
            continue
        if name not in by_name:
            raise InvalidOption(f"server.protocols must be {ALL} or some of {', '.join(by_name)}; got {name[:40]!r}")
        dialect = by_name[name]
        found[name] = Spoken(dialect, _port(dialect, port) if colon else dialect.port)
    return tuple(found.values())


def _port(dialect: Dialect, port: str) -> int:
    if dialect.port is None:
        raise InvalidOption(f"{dialect.name} is spoken on the server's main port: leave ':{port[:10]}' out of server.protocols")
    if not (port.isascii() and port.isdigit() and int(port[:6]) <= MAX_PORT):
        raise InvalidOption(f"the port of {dialect.name} must be between 0 and {MAX_PORT}, got {port[:10]!r}")
    return int(port)
