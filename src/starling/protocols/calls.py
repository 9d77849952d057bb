"""What dialects of gRPC have in common: their calls, and how a call says that it failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from starling.core.errors import (
    ClientError,
    Dismissed,
    Forbidden,
    FrameTooLarge,
    IdleTimeout,
    NotFound,
    Overloaded,
    SessionTooLong,
    SlowConsumer,
    StarlingError,
    Unauthenticated,
)
from starling.protocols.verbs import Offer

if TYPE_CHECKING:
    from google.protobuf.descriptor import FileDescriptor

HTTP_UNAVAILABLE: Final = 503

HALF_CLOSED: Final = ""
"""What an adapter receives once its client says no more: the one text among messages, which are bytes."""


class Code(IntEnum):
    """Those of gRPC's status codes that are given here."""

    OK = 0
    INVALID_ARGUMENT = 3
    NOT_FOUND = 5
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    ABORTED = 10
    OUT_OF_RANGE = 11
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


CODES: Final[Mapping[type[StarlingError], Code]] = {
    Unauthenticated: Code.UNAUTHENTICATED,
    Forbidden: Code.PERMISSION_DENIED,
    NotFound: Code.NOT_FOUND,
    Overloaded: Code.RESOURCE_EXHAUSTED,
    FrameTooLarge: Code.RESOURCE_EXHAUSTED,  # as gRPC itself has it
    IdleTimeout: Code.ABORTED,
    SlowConsumer: Code.ABORTED,
    Dismissed: Code.ABORTED,
    SessionTooLong: Code.OUT_OF_RANGE,
    ClientError: Code.INVALID_ARGUMENT,
    StarlingError: Code.INTERNAL,
}


def code_of(kind: type[StarlingError]) -> Code:
    """The status of a call that ended with an error of that ``kind``: that of its nearest base."""
    found = next(CODES[base] for base in kind.__mro__ if base in CODES)
    passing = kind.retryable or kind.http_status == HTTP_UNAVAILABLE
    return Code.UNAVAILABLE if found is Code.INTERNAL and passing else found


@dataclass(frozen=True, slots=True)
class Service:
    """A gRPC service. ``name``: in full. ``sessions``: methods whose calls carry a session, which the adapter finds at the end of
    ``Head.path``; ``recordings``: those of them whose message is a whole recording. ``questions``: methods that are answered at
    once; they raise ClientError for what is no such request. ``definition``: gives the file that defines it, for clients that
    ask.

    A message is one frame; where the client says no more, a call receives HALF_CLOSED. ``closing`` of an adapter gives the
    status and its message.
    """

    name: str
    sessions: tuple[str, ...]
    recordings: tuple[str, ...] = ()
    questions: Mapping[str, Callable[[Offer, bytes], bytes]] = field(default_factory=dict)
    definition: Callable[[], FileDescriptor] | None = None
