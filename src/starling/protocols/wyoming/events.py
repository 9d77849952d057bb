"""Wyoming's events as they travel: a line of JSON, then perhaps more JSON, then perhaps bytes.

From OHF-Voice/wyoming, ``wyoming/event.py``: the line's ``data`` and the JSON after it are one object, of which the latter wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

import msgspec

from starling.core.errors import InvalidMessage

T = TypeVar("T")

Length = Annotated[int, msgspec.Meta(ge=0)]


@dataclass(frozen=True, slots=True)
class Event:
    """``data``: its fields; ``payload``: audio, of an event that has any."""

    type: str
    data: Mapping[str, Any] = field(default_factory=dict)
    payload: bytes = b""


class _Line(msgspec.Struct):
    type: str
    data: dict[str, Any] | None = None
    data_length: Length | None = None
    payload_length: Length | None = None


_LINES = msgspec.json.Decoder(_Line)
_DATA = msgspec.json.Decoder(dict[str, Any])


def body_of(line: bytes) -> int:
    """How many bytes of an event follow its ``line``. Raises InvalidMessage for what is no such line."""
    head = _line(line)
    return (head.data_length or 0) + (head.payload_length or 0)


def parse(frame: bytes) -> Event:
    """The event that is the whole of ``frame``. Raises InvalidMessage."""
    line, _, _ = frame.partition(b"\n")
    head, start = _line(line), len(line) + 1
    middle = start + (head.data_length or 0)
    if max(len(frame), start) != middle + (head.payload_length or 0):
        raise InvalidMessage("expected an event as long as its line says, got another length")
    data = head.data or {}
    if head.data_length:
        more: dict[str, Any] = _decoded(_DATA, frame[start:middle], "data")
        data = {**data, **more}
    return Event(head.type, data, frame[middle:])


def written(event: Event) -> bytes:
    """``event`` as it travels, as Wyoming's own library writes it."""
    data = msgspec.json.encode(event.data) if event.data else b""
    head: dict[str, Any] = {"type": event.type}
    if data:
        head["data_length"] = len(data)
    if event.payload:
        head["payload_length"] = len(event.payload)
    return msgspec.json.encode(head) + b"\n" + data + event.payload


def _line(line: bytes) -> _Line:
    return _decoded(_LINES, line, "an event's line")


def _decoded(decoder: msgspec.json.Decoder[T], text: bytes, what: str) -> T:
    try:
        return decoder.decode(text)
    except (ValueError, RecursionError):
        raise InvalidMessage(f"expected a JSON object as {what}, got something else: see docs/protocols/wyoming.md") from None
