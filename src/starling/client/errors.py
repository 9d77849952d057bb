"""What can go wrong between a client and its server. The server's own refusal for load is ``core.errors.Overloaded``.

::

    StarlingError
    ├── Unreachable        nobody answers at the address
    ├── Refused            somebody answers, but not with a session
    ├── SessionAborted     the server reported an error and ended the session
    ├── JobFailed          a recording was taken in, and has no text
    ├── SessionLost        the connection broke before ``done``
    └── ProtocolMismatch   the server speaks another protocol, or another version of it
"""

from __future__ import annotations

from typing import Final

from starling.core.errors import Overloaded, StarlingError

LONGEST_WAIT: Final = 3600.0
"""Seconds for which a server can ask to be left alone: after them it is asked again whatever it said."""


class Unreachable(StarlingError):
    """Nobody answers at the address: no server, a wrong host or port, no route."""

    code = "unreachable"
    retryable = True


class Refused(StarlingError):
    """The answer to the WebSocket upgrade was HTTP ``status``, not a session."""

    code = "refused"

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class SessionAborted(StarlingError):
    """The server ended the session because of an error it named: ``reason`` is that error's own code."""

    code = "session_aborted"

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class JobFailed(StarlingError):
    """A recording was taken in and has no text: ``reason`` is the code of what went wrong, or ``cancelled``."""

    code = "job_failed"

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class SessionLost(StarlingError):
    """The connection ended before the session was done. ``closed_with``: the close code (RFC 6455), 1006 if there was none."""

    code = "session_lost"
    retryable = True

    def __init__(self, message: str, *, closed_with: int) -> None:
        super().__init__(message)
        self.closed_with = closed_with


class ProtocolMismatch(StarlingError):
    """A frame that the native protocol has no place for."""

    code = "protocol_mismatch"


def overloaded(message: str, retry_after: float | None) -> Overloaded:
    """The server's refusal for load, with the time it asked to be left alone: ``retry_after`` seconds, 1 if it gave none."""
    wait = 1.0 if retry_after is None else min(max(0.0, retry_after), LONGEST_WAIT)
    return Overloaded(f"{message}: try again in {wait:g} s", gate="gateway", retry_after=wait)
