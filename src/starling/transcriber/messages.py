"""What is said between a transcriber and the process that hears a recording for it: frames of MessagePack on a socket.

That process reads the recording by asking for its bytes, so it needs no way of its own to where recordings are kept.
"""

from __future__ import annotations

import struct
from typing import Final, TypeAlias

import msgspec

from starling.core.config import SessionConfig
from starling.core.errors import IllegalTransition
from starling.core.jobs import Channels, JobWarning
from starling.core.records import Checkpoint
from starling.transcriber.findings import Found

GREETING: Final = b"+"
"""Said by the transcriber, and then by the scribe, before anything else."""

LENGTH: Final = struct.Struct("<I")
"""Before each frame: how many bytes it has."""

MOST: Final = 64 << 20
"""Bytes in a frame at most; those of a recording come in far smaller ones."""


class Order(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Do this: the first that is said. ``size``: bytes of the recording. ``urgent``: somebody waits for it. The rest as in
    ``Task``.
    """

    job_id: str
    trace_id: str
    config: SessionConfig
    channels: Channels
    checkpoints: tuple[Checkpoint | None, ...]
    max_duration: float
    size: int
    urgent: bool = False


class Data(msgspec.Struct, frozen=True, tag=True):
    """What was asked for; less only at the end of the recording."""

    data: bytes


class Unreadable(msgspec.Struct, frozen=True, tag=True):
    """What was asked for cannot be had."""

    code: str
    message: str


class Read(msgspec.Struct, frozen=True, tag=True):
    """Ask for ``size`` bytes of the recording from ``offset`` on."""

    offset: int
    size: int


class Told(msgspec.Struct, frozen=True, tag=True):
    """What was found since, in the order of finding. ``done``: as in ``Heard``."""

    done: float
    found: tuple[Found, ...]


class Over(msgspec.Struct, frozen=True, tag=True):
    """The recording is done. ``duration``: seconds of it; ``computed``: seconds of CPU that took."""

    duration: float
    computed: float
    warnings: tuple[JobWarning, ...] = ()


class Failed(msgspec.Struct, frozen=True, tag=True):
    """It cannot be done; as in ``JobError``."""

    code: str
    message: str
    final: bool


ToScribe: TypeAlias = Order | Data | Unreadable
FromScribe: TypeAlias = Read | Told | Over | Failed

_encoder = msgspec.msgpack.Encoder()
to_scribe: Final[msgspec.msgpack.Decoder[ToScribe]] = msgspec.msgpack.Decoder(Order | Data | Unreadable)
from_scribe: Final[msgspec.msgpack.Decoder[FromScribe]] = msgspec.msgpack.Decoder(Read | Told | Over | Failed)


def framed(message: ToScribe | FromScribe) -> bytes:
    """``message`` as it goes over the socket."""
    body = _encoder.encode(message)
    return LENGTH.pack(len(body)) + body


def length_of(head: bytes) -> int:
    """How long the frame is that ``head`` comes before. Raises IllegalTransition for one that nobody here sends."""
    (length,) = LENGTH.unpack(head)
    if length > MOST:
        raise IllegalTransition(f"expected a frame of at most {MOST} bytes, got one of {length}")
    return int(length)
