"""Opus in Ogg, page by page as it arrives (RFC 3533, RFC 7845).

One Opus stream is heard: the first. Other streams beside it are passed over. A stream that begins after it (a *chained* stream,
as live encoders send when a track changes) goes on where it ended.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from starling.audio.normalise import Normaliser
from starling.audio.opus import MAX_PACKET, OPUS_RATE, OpusDecoder, OpusHead
from starling.audio.reading import Reader, Take, Want, exactly
from starling.core.errors import CorruptAudio, UnsupportedAudio

_PAGE = struct.Struct("<4sBBqIIIB")
_CONTINUED, _FIRST, _LAST = 1, 2, 4
_NO_GRANULE = -1
_FULL = 255  # a lacing value that says: the packet goes on
_TAGS = b"OpusTags"

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True, slots=True)
class _Page:
    flags: int
    granule: int  # samples of the stream up to the last packet that ends here, or -1
    serial: int
    sequence: int
    lacing: bytes
    body: bytes

    def segments(self) -> Iterator[tuple[bytes, bool]]:
        """Each packet or part of one, and whether it ends here."""
        start = end = 0
        for lace in self.lacing:
            end += lace
            if lace < _FULL:
                yield self.body[start:end], True
                start = end
        if self.lacing and self.lacing[-1] == _FULL:
            yield self.body[start:end], False


def crc(data: bytes) -> int:
    """Ogg's checksum: CRC-32 with zlib's polynomial, but the highest bit first, and neither preset nor inverted."""
    mirrored = zlib.crc32(data.translate(_REVERSED), 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_REVERSED), "big")


def _read_page() -> Generator[Want, memoryview, _Page | None]:
    """The next page, or None at the end of the stream. Raises CorruptAudio if it is damaged or cut off."""
    header = bytes((yield Take(_PAGE.size)))
    if not header:
        return None
    if len(header) < _PAGE.size:
        raise CorruptAudio(f"Ogg: expected a page header of {_PAGE.size} bytes, the stream ended after {len(header)}")
    magic, version, flags, granule, serial, sequence, checksum, segments = _PAGE.unpack(header)
    if magic != b"OggS" or version:
        raise CorruptAudio(f"expected an Ogg page ('OggS', version 0), found {header[:5]!r}; was the encoding declared right?")
    lacing = bytes((yield from exactly(segments, f"Ogg page {sequence}"))) if segments else b""
    body = bytes((yield from exactly(sum(lacing), f"Ogg page {sequence}"))) if any(lacing) else b""
    found = crc(header[:22] + bytes(4) + header[26:] + lacing + body)
    if found != checksum:
        raise CorruptAudio(f"Ogg page {sequence}: expected the checksum {checksum:08x} its header gives, found {found:08x}")
    return _Page(flags, granule, serial, sequence, lacing, body)


class _OpusStream:
    """One logical stream of Opus: its packets put together and decoded."""

    def __init__(self, page: _Page) -> None:
        self.serial = page.serial
        self._decoder = OpusDecoder(OpusHead.parse(page.body))
        self._sequence = page.sequence
        self._partial: bytearray | None = None  # the packet that goes on in the next page
        self._tags_seen = False
        self._offset = (
            0  # granule position of the first sample: not 0 if the stream was joined while it ran (RFC 7845 section 4.3)
        )
        self.ended = bool(page.flags & _LAST)

    @property
    def sounding(self) -> bool:
        """Audio has begun."""
        return self._decoder.decoded > 0

    def add(self, page: _Page, out: Normaliser) -> None:
        """Decode the packets that end in ``page``."""
        self._sequence = (self._sequence + 1) & 0xFFFF_FFFF
        if page.sequence != self._sequence:
            raise CorruptAudio(f"Ogg: expected page {self._sequence} of the stream, found page {page.sequence}: pages were lost")
        if bool(page.flags & _CONTINUED) != (self._partial is not None):
            raise CorruptAudio(f"Ogg page {page.sequence}: its first packet and the last of the page before do not fit together")
        self.ended = bool(page.flags & _LAST)
        # The last page's granule position says where the audio ends; what its packets decode to beyond it is padding.
        trimmed = self.ended and page.granule != _NO_GRANULE
        first = not self.sounding
        for packet in self._packets(page):
            pcm = self._decoder.decode(packet)
            surplus = self._decoder.decoded - (page.granule - self._offset) if trimmed else 0
            out.write(pcm[: max(0, len(pcm) - max(0, surplus))], OPUS_RATE)
        if first and self.sounding and page.granule != _NO_GRANULE:
            self._offset = max(0, page.granule - self._decoder.decoded)

    def finish(self) -> None:
        """The stream is over. Raises CorruptAudio if a packet is not."""
        if self._partial is not None:
            raise CorruptAudio(f"Ogg: the stream ended inside a packet, after {len(self._partial)} bytes of it")

    def _packets(self, page: _Page) -> Iterator[bytes]:
        for data, complete in page.segments():
            packet = self._partial or bytearray()
            # Tags may hold megabytes of cover art; all that matters of them is that they are tags.
            packet += data if self._tags_seen else data[: max(0, len(_TAGS) - len(packet))]
            self._partial = None if complete else packet
            if len(packet) > MAX_PACKET:
                raise CorruptAudio(f"Ogg page {page.sequence}: an Opus packet has at most {MAX_PACKET} bytes, this one goes on")
            if not complete:
                continue
            if self._tags_seen:
                yield bytes(packet)
            elif packet != _TAGS:
                raise CorruptAudio(f"Ogg: expected OpusTags after the OpusHead, found {bytes(packet)!r}")
            self._tags_seen = True


def read_ogg_opus(out: Normaliser) -> Reader:
    """Opus in Ogg. Raises CorruptAudio for damage, UnsupportedAudio if there is no Opus in it."""
    stream: _OpusStream | None = None
    others: list[str] = []
    while page := (yield from _read_page()):
        if page.flags & _FIRST:
            if not page.body.startswith(b"OpusHead"):
                others = [*others, repr(page.body[:8])][:8]
            elif stream is None or stream.ended or stream.sounding:
                if stream is not None:
                    stream.finish()
                stream = _OpusStream(page)
        elif stream is None:
            raise UnsupportedAudio(
                f"Ogg: expected an Opus stream to begin, found {', '.join(others) or 'the middle of a stream'}"
            )
        elif page.serial == stream.serial:
            stream.add(page, out)
    if stream is not None:
        stream.finish()
    elif others:
        raise UnsupportedAudio(f"Ogg: expected an Opus stream, found {', '.join(others)}")
