"""``multipart/form-data`` (RFC 7578) as it comes: a push parser, python-multipart's, with bounds on all that it holds. Pure."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from starling.core.errors import FrameTooLarge, InvalidMessage

MAX_PARTS: Final = 1_200
"""Of one form: a thousand hot words, and what else there is."""

MAX_HEADERS: Final = 8
MAX_HEADER_BYTES: Final = 4_096
MAX_BOUNDARY: Final = 70
"""Characters, as RFC 2046 section 5.1.1 has it."""

PLAIN_ENCODINGS: Final = frozenset({b"", b"7bit", b"8bit", b"binary"})

logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it warns of what is answered with an error here


@dataclass(frozen=True, slots=True)
class PartBegan:
    """A part of the form. ``filename``: as the client calls it, None for a field."""

    name: str
    filename: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PartData:
    """More of what is in the part that began last."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PartEnded:
    """That was all of it."""


Event: TypeAlias = PartBegan | PartData | PartEnded


def boundary_of(content_type: str) -> bytes:
    """What stands between the parts. Raises InvalidMessage where ``content_type`` does not say it."""
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 0 < len(boundary) <= MAX_BOUNDARY:
        raise InvalidMessage("expected multipart/form-data with a boundary of 1 to 70 characters in its Content-Type")
    return boundary


class Multipart:
    """A form that comes in pieces. Raises InvalidMessage for what is none, and FrameTooLarge for one of too many parts."""

    def __init__(self, content_type: str) -> None:
        self.complete = False
        self._events: list[Event] = []
        self._parts = 0
        self._name, self._value = b"", b""
        self._headers: dict[bytes, bytes] = {}
        self._parser = MultipartParser(
            boundary_of(content_type),
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._data,
                "on_part_end": self._part_end,
                "on_end": self._end,
            },
            max_header_count=MAX_HEADERS,
            max_header_size=MAX_HEADER_BYTES,
        )

    def feed(self, data: bytes) -> list[Event]:
        """What ``data``, cut anywhere, adds."""
        try:
            self._parser.write(data)
        except FormParserError:
            raise InvalidMessage("expected multipart/form-data (RFC 7578), got a body that is none") from None
        events, self._events = self._events, []
        return events

    def close(self) -> None:
        """Nothing more comes. Raises InvalidMessage for a form that is not whole."""
        if not self.complete:
            raise InvalidMessage("the form ends in the middle: send it whole, up to its last boundary")

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise FrameTooLarge(f"a form may have at most {MAX_PARTS} parts")
        self._headers.clear()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name, self._value = b"", b""

    def _headers_end(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if kind != b"form-data" or b"name" not in options:
            raise InvalidMessage("every part of a form needs 'Content-Disposition: form-data' with a name")
        if self._headers.get(b"content-type", b"").lower().startswith(b"multipart/"):
            raise InvalidMessage("a part of a form must not be a form itself: send each file as a part of its own")
        if self._headers.get(b"content-transfer-encoding", b"").strip().lower() not in PLAIN_ENCODINGS:
            raise InvalidMessage("parts of a form must come as they are, without a Content-Transfer-Encoding")
        filename = options.get(b"filename")
        named = None if filename is None else filename.decode("utf-8", "replace")
        self._events.append(PartBegan(options[b"name"].decode("utf-8", "replace"), named))

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(PartData(data[start:end]))

    def _part_end(self) -> None:
        self._events.append(PartEnded())

    def _end(self) -> None:
        self.complete = True
