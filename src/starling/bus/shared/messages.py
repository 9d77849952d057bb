"""Records as bytes: a header that says everything of audio and gaps, and the options of controls behind it.

::

    record    length, kind, sequence, start, end, arrived, received, ordinal; then, of a control, what it asks for
    end       of a log: where its records end, how far they go, the last record, how many controls there were; then the controls
              that follow the last record
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import msgspec

from starling.core.config import SessionConfig
from starling.core.errors import InvalidOption
from starling.core.records import Audio, Checkpoint, Configure, Ended, EndReason, Finalize, Gap, Opened, SessionRecord, Tail

RECORD: Final = struct.Struct("<IIqQQdQQ")
"""The fields of a Message, but for its payload."""

_END: Final = struct.Struct("<QQqqQQQdQ")
_END_OFRECORD: Final = struct.Struct("<IIqQ").size
_CHECKPOINT: Final = struct.Struct("<Q")

HEADER: Final = RECORD.size
"""Bytes of a record of audio, or of a gap."""

LONGEST_CONTROL: Final = 120 * 1024
"""Bytes of one control. Only options are long, and of those a cell holds the last ones."""


class Kind(IntEnum):
    """What a record is."""

    AUDIO = 0
    GAP = 1
    FINALIZE = 2
    CONFIGURE = 3
    ENDED = 4


@dataclass(slots=True)
class Message:
    """One record of the ring. ``length``: its bytes. ``ordinal``: of a control, which of the session's controls it is, from 1."""

    length: int
    kind: Kind
    sequence: int
    start: int
    end: int
    arrived: float
    received: int
    ordinal: int
    payload: bytes = b""

    def pack(self) -> bytes:
        header = RECORD.pack(
            self.length, self.kind, self.sequence, self.start, self.end, self.arrived, self.received, self.ordinal
        )
        return header + self.payload

    def control(self, session_id: str) -> SessionRecord:
        """The record of a control."""
        match self.kind:
            case Kind.FINALIZE:
                return Finalize(session_id, self.sequence, received=self.received)
            case Kind.CONFIGURE:
                config = msgspec.msgpack.decode(self.payload, type=SessionConfig)
                return Configure(session_id, self.sequence, config, received=self.received)
            case _:
                return Ended(session_id, self.sequence, EndReason(self.payload.decode()), received=self.received)


def pack_sound(record: Audio | Gap, start: int) -> bytes:
    """Audio, or a gap, from ``start`` on."""
    kind = Kind.AUDIO if isinstance(record, Audio) else Kind.GAP
    return RECORD.pack(HEADER, kind, record.sequence, start, record.end, record.arrived, record.received, 0)


def patch(end: int) -> tuple[int, bytes]:
    """Where in a record its end stands, and what makes it ``end``."""
    return _END_OFRECORD, end.to_bytes(8, "little")


def control_message(record: Finalize | Configure | Ended, position: int, ordinal: int) -> Message:
    """A control after ``position``. Raises InvalidOption for options that are too long."""
    match record:
        case Finalize():
            kind, payload = Kind.FINALIZE, b""
        case Configure():
            kind, payload = Kind.CONFIGURE, msgspec.msgpack.encode(record.config)
        case Ended():
            kind, payload = Kind.ENDED, record.reason.encode()
    length = HEADER + len(payload)
    if length > LONGEST_CONTROL:
        raise InvalidOption(f"the options of a session take {length} bytes here; send at most {LONGEST_CONTROL}")
    return Message(length, kind, record.sequence, position, position, 0.0, record.received, ordinal, payload)


def unpack(data: bytes, at: int = 0) -> Message:
    """The message that begins at ``at``; its payload as far as ``data`` has it."""
    length, kind, sequence, start, end, arrived, received, ordinal = RECORD.unpack_from(data, at)
    payload = data[at + HEADER : at + length]
    return Message(length, Kind(kind), sequence, start, end, arrived, received, ordinal, payload)


@dataclass(slots=True)
class LogEnd:
    """How far a log goes.

    ``written``: bytes in the ring of records. ``last``: where the last of them begins, which goes on to ``position`` whatever it
    says itself, for audio may have ``grown``. ``origin``: the position at which it begins if it is audio, or -1. ``ordinals``:
    how many controls there were. ``controls``: those behind the last record.
    """

    written: int
    last: int
    origin: int
    sequence: int
    position: int
    received: int
    ordinals: int
    arrived: float
    grown: bool = False
    ended: bool = False
    controls: tuple[Message, ...] = ()

    def pack(self) -> bytes:
        end = _END.pack(
            self.written,
            self.last,
            self.origin,
            self.sequence,
            self.position,
            self.received,
            self.ordinals,
            self.arrived,
            self.grown | self.ended << 1,
        )
        return end + b"".join([control.pack() for control in self.controls]) if self.controls else end

    @classmethod
    def unpack(cls, data: bytes) -> LogEnd:
        written, last, origin, sequence, position, received, ordinals, arrived, flags = _END.unpack_from(data)
        end = cls(written, last, origin, sequence, position, received, ordinals, arrived, bool(flags & 1), bool(flags & 2))
        if len(data) == _END.size:
            return end
        controls: list[Message] = []
        at = _END.size
        while at < len(data):
            controls.append(unpack(data, at))
            at += controls[-1].length
        end.controls = tuple(controls)
        return end

    @property
    def tail(self) -> Tail:
        return Tail(position=self.position, sequence=self.sequence, received=self.received, ended=self.ended)


def pack_opened(opened: Opened) -> bytes:
    """What ``unpack_opened`` reads."""
    return msgspec.msgpack.encode(opened)


def unpack_opened(data: bytes) -> Opened:
    """What ``pack_opened`` wrote."""
    return msgspec.msgpack.decode(data, type=Opened)


def pack_checkpoint(checkpoint: Checkpoint, head: int) -> bytes:
    """``head``: where in the ring of records the oldest begins that is needed after it."""
    return _CHECKPOINT.pack(head) + msgspec.msgpack.encode(checkpoint)


def unpack_checkpoint(data: bytes) -> tuple[Checkpoint, int]:
    """What ``pack_checkpoint`` wrote."""
    (head,) = _CHECKPOINT.unpack_from(data)
    return msgspec.msgpack.decode(data[_CHECKPOINT.size :], type=Checkpoint), head
