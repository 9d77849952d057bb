"""The alphabet of WebM: variable-size integers and elements (RFC 8794)."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TypeAlias

from starling.audio.reading import Take, Want, exactly
from starling.core.errors import CorruptAudio

Bytes: TypeAlias = bytes | memoryview

LONGEST_ID = 4


def vint_length(first: int) -> int:
    """How many bytes the variable-size integer has that begins with byte ``first``; 9 if it is none."""
    return 9 - first.bit_length()


def vint(data: Bytes, start: int, what: str, *, marker: bool = False) -> tuple[int, int, bool]:
    """The integer at ``start``, where it ends, and whether it is the reserved value for "unknown" (RFC 8794 section 4)."""
    length = vint_length(data[start]) if start < len(data) else 9
    end = start + length
    if length > 8 or end > len(data):  # noqa: PLR2004 - bytes of a vint
        raise CorruptAudio(
            f"WebM {what}: expected a variable-size integer, found {bytes(data[start : start + 8]).hex() or 'the end'}"
        )
    value = int.from_bytes(data[start:end], "big")
    mask = (1 << (7 * length)) - 1
    return value if marker else value & mask, end, value & mask == mask


def children(body: Bytes, what: str) -> Iterator[tuple[int, Bytes]]:
    """The elements of a master element that is held whole."""
    at = 0
    while at < len(body):
        identity, at, _ = vint(body, at, what, marker=True)
        size, at, unknown = vint(body, at, what)
        if unknown or at + size > len(body):
            raise CorruptAudio(f"WebM {what}: element {identity:X} claims {size} bytes, {len(body) - at} are left")
        yield identity, body[at : at + size]
        at += size


def number_of(data: Bytes, *, signed: bool = False) -> int:
    """The integer that is an element's whole body; 0 of none (RFC 8794 section 7)."""
    if len(data) > 8:  # noqa: PLR2004 - bytes of an EBML integer
        raise CorruptAudio(f"WebM: expected an integer of at most 8 bytes, found {len(data)}")
    return int.from_bytes(data, "big", signed=signed)


def read_element_header() -> Generator[Want, memoryview, tuple[int, int | None] | None]:
    """The id and size of the next element (None: unknown size), or None at the end of the stream."""
    first = yield Take(1)
    if not first:
        return None
    length = vint_length(first[0])
    if length > LONGEST_ID:
        raise CorruptAudio(f"WebM: expected an element, found the byte {first[0]:02x}; was the encoding declared right?")
    identity = bytes(first)
    if length > 1:
        identity += bytes((yield from exactly(length - 1, "WebM element id")))
    size = bytes((yield from exactly(1, "WebM element size")))
    length = vint_length(size[0])
    if 1 < length <= 8:  # noqa: PLR2004 - bytes of a vint
        size += bytes((yield from exactly(length - 1, "WebM element size")))
    value, _, unknown = vint(size, 0, "element size")
    return int.from_bytes(identity, "big"), None if unknown else value
