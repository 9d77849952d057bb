"""RIFF WAVE, read as it arrives. Source: Microsoft Multimedia Data Standards Update (1994); RF64: EBU Tech 3306.

A header written before its length was known (0, 0xFFFFFFFF, or nearly 2 GiB, as live writers leave it) means: to the end of the
stream. Any other length is taken at its word.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Generator

from starling.audio.normalise import Normaliser, check_layout
from starling.audio.pcm import (
    BLOCK,
    PCM_ALAW,
    PCM_F32LE,
    PCM_F64LE,
    PCM_MULAW,
    PCM_S16LE,
    PCM_S24LE,
    PCM_S32LE,
    PCM_U8,
    SampleKind,
    write_frames,
)
from starling.audio.reading import Reader, Skip, Take, Want, exactly
from starling.core.audio import WaveLayout
from starling.core.errors import CorruptAudio, UnsupportedAudio

HEADER_LIMIT = 1 << 20
"""Bytes before the audio at most: room for cover art, an end to endless headers."""

_STREAMING = 0x7FFF_0000  # from here on a size is some writer's word for "unknown"
_FORMAT_SIZE = (16, 4_096)
_EXTENSIBLE = 0xFFFE
_EXTENSIBLE_SIZE = 40
_SUBFORMAT_TAIL = bytes.fromhex("000000001000800000aa00389b71")  # of the GUIDs that carry an old format code
_DS64_SIZE = (28, 65_536)
_RIFF_IDS = (b"RIFF", b"RF64", b"BW64")

_KINDS: dict[tuple[int, int], SampleKind] = {
    (1, 8): PCM_U8,
    (1, 16): PCM_S16LE,
    (1, 24): PCM_S24LE,
    (1, 32): PCM_S32LE,
    (3, 32): PCM_F32LE,
    (3, 64): PCM_F64LE,
    (6, 8): PCM_ALAW,
    (7, 8): PCM_MULAW,
}
"""Sample kinds by format code and bits."""


def read_wav(
    out: Normaliser, note: Callable[[WaveLayout], None] = lambda _: None, *, layout: WaveLayout | None = None, at: int = 0
) -> Reader:
    """One WAVE stream, or with ``layout``, which ``note`` was told of one, that stream from its byte ``at`` on.

    ``at`` is the first byte of a frame. Raises CorruptAudio for what is no WAVE or contradicts its header, UnsupportedAudio for
    other codecs.
    """
    if layout is None:
        layout = yield from _read_header()
        if layout is None:
            return
        at = layout.start
        note(layout)
    kind, frame = _KINDS[layout.code, layout.bits], layout.frame
    seen = at - layout.start
    while layout.size is None or layout.size - seen >= frame:
        limit = BLOCK if layout.size is None else min(BLOCK, layout.size - seen)
        raw = yield Take(frame, limit)
        if len(raw) < frame:
            _check_end(layout, seen, len(raw))
            return
        write_frames(raw, kind, layout.channels, layout.sample_rate, out)
        seen += len(raw)
    if layout.size > seen:
        raise CorruptAudio(f"the data chunk of {layout.size} bytes is not a whole number of {frame}-byte frames")
    yield Skip(layout.size & 1)
    yield from _read_trailer(layout.size)


def _read_header() -> Generator[Want, memoryview, WaveLayout | None]:
    riff = yield Take(12)
    if not riff:
        return None
    is_64 = _check_riff(bytes(riff))
    budget = HEADER_LIMIT
    start = len(riff)
    shape: tuple[int, int, int, int] | None = None
    long_size = 0
    while True:
        chunk, size = _chunk_header((yield from exactly(8, "WAV header")), "in the header")
        start += 8
        if chunk == b"data":
            break
        start += size + (size & 1)
        budget -= 8 + size
        if budget < 0:
            raise CorruptAudio(
                f"WAV header: no data chunk within the first {HEADER_LIMIT} bytes; a chunk {chunk!r} claims {size}"
            )
        if chunk == b"fmt ":
            _check_size("fmt", size, _FORMAT_SIZE)
            shape = _parse_format(bytes((yield from exactly(size, "WAV fmt chunk"))))
            yield Skip(size & 1)
        elif chunk == b"ds64" and is_64:
            _check_size("ds64", size, _DS64_SIZE)
            (long_size,) = struct.unpack_from("<Q", (yield from exactly(size, "WAV ds64 chunk")), 8)
            yield Skip(size & 1)
        else:
            yield Skip(size + (size & 1))
    if shape is None:
        raise CorruptAudio("WAV header: expected a fmt chunk before the data chunk, found none")
    length = size if 0 < size < _STREAMING else None
    if is_64 and size == 0xFFFF_FFFF:  # noqa: PLR2004 - EBU Tech 3306: the size stands in ds64
        length = long_size or None
    code, bits, channels, rate = shape
    return WaveLayout(code=code, bits=bits, channels=channels, sample_rate=rate, size=length, start=start)


def _check_riff(riff: bytes) -> bool:
    if riff[:4] == b"RIFX":
        raise UnsupportedAudio("big-endian WAV (RIFX) is not supported; send little-endian RIFF")
    if riff[:4] not in _RIFF_IDS or riff[8:12] != b"WAVE":
        raise CorruptAudio(f"expected a WAV header (RIFF....WAVE), found {riff!r}; was the encoding declared right?")
    return riff[:4] != b"RIFF"


def _chunk_header(header: memoryview, where: str) -> tuple[bytes, int]:
    chunk, size = struct.unpack("<4sI", header)
    if not all(0x20 <= letter < 0x7F for letter in chunk):  # noqa: PLR2004 - printable ASCII
        raise CorruptAudio(f"WAV: expected a chunk {where}, found the bytes {chunk!r}")
    return chunk, size


def _check_size(chunk: str, size: int, limits: tuple[int, int]) -> None:
    if not limits[0] <= size <= limits[1]:
        raise CorruptAudio(f"WAV {chunk} chunk: expected {limits[0]} to {limits[1]} bytes, its header says {size}")


def _parse_format(body: bytes) -> tuple[int, int, int, int]:
    code, channels, rate, _, align, bits = struct.unpack_from("<HHIIHH", body)
    if code == _EXTENSIBLE:
        if len(body) < _EXTENSIBLE_SIZE:
            raise CorruptAudio(f"WAV fmt chunk: an extensible format takes {_EXTENSIBLE_SIZE} bytes, found {len(body)}")
        if body[26:40] != _SUBFORMAT_TAIL:
            raise UnsupportedAudio(f"WAV sub-format {body[24:40].hex()} is not supported; send PCM, float, mu-law or A-law")
        (code,) = struct.unpack_from("<H", body, 24)
    kind = _KINDS.get((code, bits))
    if kind is None:
        raise UnsupportedAudio(
            f"WAV format code {code} with {bits} bits is not supported;"
            " send PCM (8, 16, 24, 32 bits), float (32, 64), mu-law or A-law (8)"
        )
    check_layout(rate, channels)
    if align != channels * kind.size:
        raise CorruptAudio(
            f"WAV fmt chunk: {channels} channels of {kind.size} bytes make {channels * kind.size}, it says {align}"
        )
    return code, bits, channels, rate


def _check_end(layout: WaveLayout, seen: int, rest: int) -> None:
    if layout.size is not None:
        raise CorruptAudio(
            f"WAV data chunk: expected {layout.size} bytes as its header says, the stream ended after {seen + rest}"
        )
    if rest:
        raise CorruptAudio(f"WAV data ends inside a frame: a frame is {layout.frame} bytes, the last has {rest}")


def _read_trailer(size: int) -> Reader:
    # Tags may follow the audio. Anything else means that the data chunk's length is a lie and audio would be lost in silence.
    while header := (yield Take(8)):
        if len(header) < 8:  # noqa: PLR2004 - a chunk header
            raise CorruptAudio(f"WAV: {len(header)} bytes too many after the data chunk of {size} bytes")
        chunk, length = _chunk_header(header, f"or the end after the data chunk of {size} bytes")
        if chunk == b"data":
            raise UnsupportedAudio("WAV with more than one data chunk is not supported; send one")
        yield Skip(length + (length & 1))
