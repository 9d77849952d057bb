"""Events as bytes, and what the results of a slot say of themselves.

::

    event     length, checksum, number, segment; then kind and fields
    end       where the ring of results begins and ends, the numbers of its first event and of the next, the newest segment of
              which something is gone, how many partials there were, the last final, whether it is over, how many segments
              are open; then of each of these what was told, and the newest partials
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from starling.bus.history import Stage
from starling.core.transcript import (
    SegmentFailed,
    SessionDone,
    SessionEvent,
    SessionFailed,
    SpeechEnded,
    SpeechStarted,
    Transcript,
)

_KINDS: Final = (SpeechStarted, SpeechEnded, Transcript, SegmentFailed, SessionDone, SessionFailed)
_EVENT: Final = struct.Struct("<IIQq")
_END: Final = struct.Struct("<QQQQqQqQQ")
_TOLD: Final = struct.Struct("<qQ")
_PARTIAL: Final = struct.Struct("<IQQ")
_CHECKED_FROM: Final = 8

HEADER: Final = _EVENT.size
"""Bytes before an event's fields."""

NO_SEGMENT: Final = -1
"""The segment of events that belong to none."""


def pack_event(event: SessionEvent, number: int) -> bytes:
    """``number``: how many lasting events of the session came before."""
    body = bytes([_KINDS.index(type(event))]) + msgspec.msgpack.encode(event)
    header = _EVENT.pack(HEADER + len(body), 0, number, segment_of(event))
    checksum = zlib.crc32(body, zlib.crc32(header[_CHECKED_FROM:]))
    return _EVENT.pack(HEADER + len(body), checksum, number, segment_of(event)) + body


def unpack_event(data: bytes) -> SessionEvent | None:
    """The event of these bytes, or None if they are not whole."""
    _, checksum, *_ = _EVENT.unpack_from(data)
    if zlib.crc32(data[HEADER:], zlib.crc32(data[_CHECKED_FROM:HEADER])) != checksum:
        return None
    kind: Any = _KINDS[data[HEADER]]
    event: SessionEvent = msgspec.msgpack.decode(data[HEADER + 1 :], type=kind)
    return event


def measure(header: bytes) -> tuple[int, int]:
    """Bytes of the event that begins with ``header``, and its segment."""
    length, _, _, segment = _EVENT.unpack(header)
    return length, segment


def measure_number(data: bytes) -> int:
    """The number of an event."""
    number: int = _EVENT.unpack_from(data)[2]
    return number


def segment_of(event: SessionEvent) -> int:
    """The segment of an event, or NO_SEGMENT."""
    return NO_SEGMENT if isinstance(event, SessionDone | SessionFailed) else event.segment_id


@dataclass(frozen=True, slots=True)
class Partial:
    """The newest partial of a segment. ``number``: how many partials came before; ``after``: how many lasting events."""

    number: int
    after: int
    transcript: Transcript


@dataclass(slots=True)
class ResultsEnd:
    """How far the results of a session go.

    ``oldest``, ``written``: the bytes of the ring that are kept. ``first``, ``next``: numbers of the events in them. ``lost``:
    the newest segment of which something is not kept, -1 if all is. ``partials``: how many there were; ``open``: the newest of
    each segment that has no final. ``final``, ``told``, ``over``: see ``Progress``.
    """

    oldest: int = 0
    written: int = 0
    first: int = 0
    next: int = 0
    lost: int = NO_SEGMENT
    partials: int = 0
    final: int = NO_SEGMENT
    over: bool = False
    told: dict[int, Collection[Stage]] = field(default_factory=dict)
    open: dict[int, Partial] = field(default_factory=dict)

    def pack(self) -> bytes:
        end = [
            _END.pack(
                self.oldest,
                self.written,
                self.first,
                self.next,
                self.lost,
                self.partials,
                self.final,
                self.over,
                len(self.told),
            )
        ]
        end += [_TOLD.pack(segment, sum(1 << stage.value for stage in stages)) for segment, stages in self.told.items()]
        for partial in self.open.values():
            fields = msgspec.msgpack.encode(partial.transcript)
            end += (_PARTIAL.pack(len(fields), partial.number, partial.after), fields)
        return b"".join(end)

    @classmethod
    def unpack(cls, data: bytes) -> ResultsEnd:
        oldest, written, first, following, lost, partials, final, over, segments = _END.unpack_from(data)
        end, at = cls(oldest, written, first, following, lost, partials, final, bool(over)), _END.size
        for _ in range(segments):
            segment, bits = _TOLD.unpack_from(data, at)
            end.told[segment] = {stage for stage in Stage if bits >> stage.value & 1}
            at += _TOLD.size
        while at < len(data):
            length, number, after = _PARTIAL.unpack_from(data, at)
            at += _PARTIAL.size
            transcript = msgspec.msgpack.decode(data[at : at + length], type=Transcript)
            at += length
            end.open[transcript.segment_id] = Partial(number, after, transcript)
        return end
