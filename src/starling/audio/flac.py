"""FLAC, frame by frame as it arrives (RFC 9639).

A frame does not say how long it is. It ends where a header begins that has a sound checksum and the number that comes next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from av import AudioCodecContext, CodecContext, Packet
from av.error import FFmpegError

from starling.audio.normalise import Normaliser, Pcm, check_layout
from starling.audio.reading import Reader, Skip, Take, exactly
from starling.core.errors import CorruptAudio, UnsupportedAudio

MAGIC: Final = b"fLaC"

_STREAMINFO: Final = 34
_BLOCK: Final = 4096  # bytes read at once

LONGEST: Final = 16_384
"""Samples of one channel in a frame: the most that the streamable subset has (section 7)."""

HEADER: Final = 16
"""Bytes of a frame's header at most (section 9.1)."""

_TABLE: Final = bytearray(256)  # of CRC-8 with the polynomial x^8 + x^2 + x + 1
for _byte in range(256):
    _rest = _byte
    for _ in range(8):
        _rest = (_rest << 1) ^ (0x107 if _rest & 0x80 else 0)
    _TABLE[_byte] = _rest


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What the first metadata block says (section 8.2). ``rate`` in Hz, ``bits`` of a sample; ``raw``: the block."""

    rate: int
    channels: int
    bits: int
    raw: bytes

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Raises UnsupportedAudio for what is not decoded here."""
        longest, packed = int.from_bytes(raw[2:4], "big"), int.from_bytes(raw[10:18], "big")
        found = cls(packed >> 44, (packed >> 41 & 7) + 1, (packed >> 36 & 31) + 1, raw)
        check_layout(found.rate, found.channels)
        if longest > LONGEST:
            raise UnsupportedAudio(f"FLAC frames may have {LONGEST} samples, these have up to {longest}: encode for streaming")
        return found

    @property
    def largest(self) -> int:
        """Bytes of a frame at most: one that gains nothing, and what is around its samples."""
        return LONGEST * self.channels * (self.bits + 1) // 8 + 64


class FlacDecoder:
    """The frames of one stream, in order."""

    def __init__(self, info: StreamInfo) -> None:
        context = CodecContext.create("flac", "r")
        assert isinstance(context, AudioCodecContext)
        context.extradata = info.raw
        context.thread_count = 1
        context.options = {"err_detect": "crccheck+explode"}
        try:
            context.open()
        except FFmpegError as error:
            raise CorruptAudio(f"expected the STREAMINFO of a FLAC stream: {error.strerror}") from error
        self._context = context
        self._channels = info.channels

    def decode(self, frame: bytes) -> Pcm:
        """Raises CorruptAudio."""
        try:
            decoded = [one.to_ndarray().reshape(-1, self._channels) for one in self._context.decode(Packet(frame))]
        except (FFmpegError, ValueError) as error:
            raise CorruptAudio(f"expected a FLAC frame, found {len(frame)} bytes that are none") from error
        pcm = np.concatenate([np.empty((0, self._channels), decoded[0].dtype), *decoded]) if decoded else None
        if pcm is None or len(pcm) > LONGEST:
            raise CorruptAudio(f"expected a FLAC frame of 1 to {LONGEST} samples, found another")
        return pcm.astype(np.int16, copy=False) if pcm.dtype == np.int16 else (pcm * np.float32(2**-31)).astype(np.float32)


@dataclass(slots=True)
class _Frames:
    """Where frames begin. ``number``: of the next one, None before the first."""

    number: int | None = None
    variable: bool = False  # its number counts samples, and not frames

    def next(self, held: bytearray, start: int, limit: int) -> int | None:
        """The first place from ``start`` on, and before ``limit``, where a whole header of the next frame begins."""
        for place in _syncs(held, start, limit):
            header = _Header.parse(held[place : place + HEADER])
            if header is not None and (self.number is None or (header.number, header.variable) == (self.number, self.variable)):
                self.variable = header.variable
                self.number = header.number + (header.samples if header.variable else 1)
                return place
        return None


def _syncs(held: bytearray, start: int, limit: int) -> Iterator[int]:
    place = held.find(b"\xff", start, limit)
    while place >= 0:
        if bytes(held[place + 1 : place + 2]) in (b"\xf8", b"\xf9"):
            yield place
        place = held.find(b"\xff", place + 1, limit)


@dataclass(frozen=True, slots=True)
class _Header:
    """``samples`` of one channel; 0 where they are not looked at."""

    number: int
    variable: bool
    samples: int

    @classmethod
    def parse(cls, data: bytearray) -> Self | None:
        """None if ``data``, HEADER bytes where the stream goes on for as long, begins with no header."""
        data = data.ljust(HEADER, b"\0")
        size_code, rate_code = data[2] >> 4, data[2] & 15
        if data[3] & 1 or not size_code or rate_code == 15:  # noqa: PLR2004 - reserved and forbidden values
            return None
        ones = 8 - (data[4] ^ 0xFF).bit_length()  # the number is coded as in UTF-8: 0... is one byte, 110... two, 1110... three
        if ones in {1, 8}:
            return None
        length, number = max(1, ones), data[4] & 0x7F >> ones
        for byte in data[5 : 4 + length]:
            number = number << 6 | byte & 0x3F
        end = 4 + length
        samples = _samples(size_code, data[end : end + 2])
        end += {6: 1, 7: 2}.get(size_code, 0) + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
        checksum = 0
        for byte in data[:end]:
            checksum = _TABLE[checksum ^ byte]
        return cls(number, bool(data[1] & 1), samples) if checksum == data[end] else None


def _samples(code: int, coded: bytearray) -> int:
    match code:
        case 1:
            return 192
        case 6:
            return coded[0] + 1
        case 7:
            return int.from_bytes(coded, "big") + 1
        case _:
            return 144 << code if code < 6 else 1 << code  # noqa: PLR2004 - 576 * 2^(code - 2), and 256 * 2^(code - 8)


def read_flac(out: Normaliser) -> Reader:
    """FLAC. Raises CorruptAudio for damage, UnsupportedAudio for what is not decoded here."""
    magic = bytes((yield Take(len(MAGIC))))
    if not magic:
        return
    if magic != MAGIC:
        raise CorruptAudio(f"expected FLAC ({MAGIC.decode()}), found {magic!r}; was the encoding declared right?")
    head = yield from exactly(4, "FLAC metadata")
    if head[0] & 127 or int.from_bytes(head[1:4], "big") != _STREAMINFO:
        raise CorruptAudio("expected FLAC's STREAMINFO first, found another block")
    last = head[0] & 128
    info = StreamInfo.parse(bytes((yield from exactly(_STREAMINFO, "FLAC's STREAMINFO"))))
    while not last:
        head = yield from exactly(4, "FLAC metadata")
        last = head[0] & 128
        yield Skip(int.from_bytes(head[1:4], "big"))
    yield from _read_frames(FlacDecoder(info), info, out)


def _read_frames(decoder: FlacDecoder, info: StreamInfo, out: Normaliser) -> Reader:
    frames, held, looked, more = _Frames(), bytearray(), 0, True
    while more:
        data = yield Take(1, _BLOCK)
        more = bool(data)
        held += data
        if frames.number is None and len(held) >= HEADER and frames.next(held, 0, 1) is None:
            raise CorruptAudio("expected a FLAC frame after the metadata, found something else")
        while True:
            limit = len(held) - (HEADER - 1 if more else 0)  # before it a whole header can be told; the last frame may be shorter
            start = max(1, looked)
            place = frames.next(held, start, min(limit, info.largest)) if limit > start else None
            if place is None:
                break
            out.write(decoder.decode(bytes(held[:place])), info.rate)
            del held[:place]
            looked = 0
        looked = max(looked, len(held) - HEADER + 1)
        if looked >= info.largest:
            raise CorruptAudio(f"a FLAC frame of this stream has at most {info.largest} bytes, this one goes on")
    if held:
        out.write(decoder.decode(bytes(held)), info.rate)
