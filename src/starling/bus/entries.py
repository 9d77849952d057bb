"""Records as bytes, for logs that leave this host.

::

    entry     kind, sequence, start, end, arrived, received; then samples (int16, little-endian), options or a reason
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import msgspec
import numpy as np

from starling.core.config import SessionConfig
from starling.core.records import Audio, Configure, Ended, EndReason, Finalize, Gap, Opened, Record, SessionRecord

_HEADER: Final = struct.Struct("<BqqqdQ")
_SAMPLE: Final = np.dtype("<i2")


class Kind(IntEnum):
    """What an entry is."""

    AUDIO = 0
    GAP = 1
    FINALIZE = 2
    CONFIGURE = 3
    ENDED = 4
    OPENED = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """A record, and the position at which it stands: where sound ends, and what a control follows on."""

    record: Record
    end: int

    @property
    def is_sound(self) -> bool:
        return isinstance(self.record, Audio | Gap)


def kind_of(record: Record) -> Kind:
    """What ``record`` is."""
    match record:
        case Audio():
            return Kind.AUDIO
        case Gap():
            return Kind.GAP
        case Finalize():
            return Kind.FINALIZE
        case Configure():
            return Kind.CONFIGURE
        case Ended():
            return Kind.ENDED
        case Opened():
            return Kind.OPENED


def pack_entry(record: Record, end: int, *, offset: float = 0.0) -> bytes:
    """``end``: the position at which a control stands. ``offset``: what makes this host's clock the wall's, in seconds."""
    match record:
        case Audio():
            fields = (record.sequence, record.start, record.end, record.arrived + offset, record.received)
            body = np.ascontiguousarray(record.samples, _SAMPLE).tobytes()
        case Gap():
            fields, body = (record.sequence, record.start, record.end, record.arrived + offset, record.received), b""
        case Opened():
            fields, body = (record.checkpoint.sequence, end, end, 0.0, 0), msgspec.msgpack.encode(record)
        case Configure():
            fields, body = (record.sequence, end, end, 0.0, record.received), msgspec.msgpack.encode(record.config)
        case Ended():
            fields, body = (record.sequence, end, end, 0.0, record.received), record.reason.encode()
        case Finalize():
            fields, body = (record.sequence, end, end, 0.0, record.received), b""
    return _HEADER.pack(kind_of(record), *fields) + body


def unpack_entry(session_id: str, data: bytes, *, offset: float = 0.0) -> Entry:
    """What ``pack_entry`` packed, on a host whose clock is ``offset`` seconds behind the wall's. Samples are not copied."""
    return Entry(_record(session_id, data, offset), _HEADER.unpack_from(data)[3])


def _record(session_id: str, data: bytes, offset: float) -> Record:
    number, sequence, start, end, arrived, received = _HEADER.unpack_from(data)
    arrived -= offset
    record: SessionRecord
    match Kind(number):
        case Kind.AUDIO:
            samples = np.frombuffer(data, _SAMPLE, offset=_HEADER.size)
            record = Audio(session_id, sequence, start, samples, arrived, received)
        case Kind.GAP:
            record = Gap(session_id, sequence, start, end - start, arrived, received)
        case Kind.FINALIZE:
            record = Finalize(session_id, sequence, received)
        case Kind.CONFIGURE:
            config = msgspec.msgpack.decode(memoryview(data)[_HEADER.size :], type=SessionConfig)
            record = Configure(session_id, sequence, config, received)
        case Kind.ENDED:
            record = Ended(session_id, sequence, EndReason(data[_HEADER.size :].decode()), received)
        case Kind.OPENED:
            return msgspec.msgpack.decode(memoryview(data)[_HEADER.size :], type=Opened)
    return record
