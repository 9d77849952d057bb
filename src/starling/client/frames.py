"""What a server's frames say, and what it meant by its last ones."""

from __future__ import annotations

from typing import Final

from websockets.exceptions import ConnectionClosed

from starling.client.errors import ProtocolMismatch, SessionAborted, SessionLost, overloaded
from starling.core.errors import InvalidMessage, Overloaded, StarlingError
from starling.protocols.native.messages import Error, ServerMessage, decode_server

NO_STATUS: Final = 1006
"""Close code of a connection that broke without one (RFC 6455, section 7.4.1)."""


def read(frame: str | bytes) -> ServerMessage:
    """The message in ``frame``. Raises ProtocolMismatch if there is none."""
    if isinstance(frame, bytes):
        raise ProtocolMismatch(f"expected text frames from the server, got a binary one of {len(frame)} bytes")
    try:
        return decode_server(frame)
    except InvalidMessage as error:
        raise ProtocolMismatch(f"expected a message of the native protocol from the server: {error.message}") from None


def failure(error: Error) -> StarlingError:
    """``error``, which ended the session, as it is raised here: Overloaded or SessionAborted."""
    if error.code == Overloaded.code:
        return overloaded(error.message, error.retry_after if isinstance(error.retry_after, float) else None)
    return SessionAborted(error.message, reason=error.code)


def last_words(error: Error | None, closed: ConnectionClosed) -> StarlingError:
    """Why a connection is over: what the server's ``error`` said, or SessionLost with how it closed the connection."""
    if error is not None:
        return failure(error)
    code = closed.rcvd.code if closed.rcvd else NO_STATUS
    said = f": {closed.rcvd.reason}" if closed.rcvd and closed.rcvd.reason else ""
    return SessionLost(f"the server ended the connection before the session was done (close code {code}{said})", closed_with=code)
