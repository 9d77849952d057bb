"""Opus in WebM, element by element as it arrives (RFC 8794 EBML, RFC 9559 Matroska).

Live writers (a browser's MediaRecorder) do not know how long a Segment or Cluster becomes and leave its size unknown. So neither
is ever closed here: both are only entered, and what stands in them is read as one flat list. The first Opus track is heard. Time
stamps are not: audio lasts as long as its packets. A new EBML header (a recorder that was started again) begins a new document.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

from starling.audio.ebml import Bytes, children, number_of, read_element_header, vint
from starling.audio.normalise import Normaliser
from starling.audio.opus import OPUS_RATE, OpusDecoder, OpusHead
from starling.audio.reading import Reader, Skip, Want, exactly
from starling.core.errors import CorruptAudio, UnsupportedAudio

MAX_HEADER = 65_536
"""Bytes of an EBML header or a track list at most."""

MAX_BLOCK = 131_072
"""Bytes of a block at most: twice the largest Opus packet."""

MAX_SKIPPED = 1 << 24
"""Bytes of an element that is passed over at most: cover art is smaller, a damaged size is seldom."""

_EBML = 0x1A45DFA3
_SEGMENT = 0x18538067
_CLUSTER = 0x1F43B675
_TRACKS = 0x1654AE6B
_SIMPLE_BLOCK = 0xA3
_BLOCK_GROUP = 0xA0
_BLOCK = 0xA1
_DISCARD_PADDING = 0x75A2
_DOC_TYPE = 0x4282
_TRACK_ENTRY = 0xAE
_TRACK_NUMBER = 0xD7
_CODEC_ID = 0x86
_CODEC_PRIVATE = 0x63A2
_CONTENT_ENCODINGS = 0x6D80
_AUDIO = 0xE1
_CHANNELS = 0x9F

_NANOSECONDS = 1_000_000_000
_LACING = 0x06
_XIPH, _FIXED, _EBML_LACING = 0x02, 0x04, 0x06


@dataclass(frozen=True, slots=True)
class _Track:
    number: int
    codec: str
    private: bytes
    channels: int
    encoded: bool  # compressed or encrypted by the container


def read_webm_opus(out: Normaliser) -> Reader:
    """Opus in WebM or Matroska. Raises CorruptAudio for damage, UnsupportedAudio if there is no Opus in it."""
    number = -1
    decoder: OpusDecoder | None = None
    begun = False
    while header := (yield from read_element_header()):
        identity, size = header
        if not begun and identity != _EBML:
            raise CorruptAudio(f"expected an EBML header (1A45DFA3), found {identity:X}; was the encoding declared right?")
        begun = True
        if identity in (_SEGMENT, _CLUSTER):
            continue
        if size is None:
            raise CorruptAudio(f"WebM: only Segments and Clusters may be of unknown size, element {identity:X} is")
        if identity == _EBML:
            _check_document((yield from _body(size, MAX_HEADER, "EBML header")))
        elif identity == _TRACKS:
            track = _opus_track((yield from _body(size, MAX_HEADER, "Tracks")))
            number = track.number
            decoder = OpusDecoder(OpusHead.parse(track.private) if track.private else OpusHead.plain(track.channels))
        elif identity in (_SIMPLE_BLOCK, _BLOCK_GROUP):
            body = yield from _body(size, MAX_BLOCK, "block")
            if decoder is None:
                raise CorruptAudio("WebM: expected Tracks before the first block, found none")
            block, padding = (body, 0) if identity == _SIMPLE_BLOCK else _block_of_group(body)
            _decode_block(block, padding, number, decoder, out)
        else:
            _check_bound(size, MAX_SKIPPED, f"element {identity:X}")
            yield Skip(size)
    if begun and decoder is None:
        raise CorruptAudio("WebM: the stream ended before its Tracks")


def _check_bound(size: int, limit: int, what: str) -> None:
    if size > limit:
        raise CorruptAudio(f"WebM {what}: expected at most {limit} bytes, its header claims {size}")


def _body(size: int, limit: int, what: str) -> Generator[Want, memoryview, memoryview]:
    _check_bound(size, limit, what)
    return (yield from exactly(size, f"WebM {what}")) if size else memoryview(b"")


def _check_document(body: Bytes) -> None:
    kind = b""
    for identity, value in children(body, "EBML header"):
        if identity == _DOC_TYPE:
            kind = bytes(value).rstrip(b"\0")
    if kind not in (b"webm", b"matroska"):
        raise UnsupportedAudio(f"EBML document type {kind!r} is not supported; send webm or matroska")


def _opus_track(body: Bytes) -> _Track:
    tracks = [_parse_track(entry) for identity, entry in children(body, "Tracks") if identity == _TRACK_ENTRY]
    for track in tracks:
        if track.codec == "A_OPUS":
            if track.encoded:
                raise UnsupportedAudio("WebM tracks that the container compresses or encrypts are not supported; send them plain")
            return track
    raise UnsupportedAudio(
        f"WebM: expected an Opus track (A_OPUS), found {', '.join(track.codec for track in tracks) or 'no track'}"
    )


def _parse_track(entry: Bytes) -> _Track:
    values = dict(children(entry, "TrackEntry"))
    audio = dict(children(values.get(_AUDIO, b""), "Audio"))
    return _Track(
        number=number_of(values.get(_TRACK_NUMBER, b"")),
        codec=bytes(values.get(_CODEC_ID, b"?")[:32]).decode("ascii", "backslashreplace").rstrip("\0"),
        private=bytes(values.get(_CODEC_PRIVATE, b"")),
        channels=number_of(audio.get(_CHANNELS, b"\1")),
        encoded=_CONTENT_ENCODINGS in values,
    )


def _block_of_group(group: Bytes) -> tuple[Bytes, int]:
    """The block of a BlockGroup, and how many samples at its end are padding."""
    values = dict(children(group, "BlockGroup"))
    if _BLOCK not in values:
        raise CorruptAudio("WebM BlockGroup: expected a Block in it, found none")
    nanoseconds = number_of(values.get(_DISCARD_PADDING, b""), signed=True)
    return values[_BLOCK], max(0, nanoseconds) * OPUS_RATE // _NANOSECONDS


def _decode_block(block: Bytes, padding: int, number: int, decoder: OpusDecoder, out: Normaliser) -> None:
    track, at, _ = vint(block, 0, "block")
    if track != number:
        return
    for packet in _packets(block, at):
        pcm = decoder.decode(packet)
        out.write(pcm[: max(0, len(pcm) - padding)], OPUS_RATE)


def _packets(block: Bytes, at: int) -> Iterator[bytes]:
    """The packets of a block whose time code stands at ``at`` (RFC 9559 section 10.3)."""
    at += 3  # time code and flags
    if at > len(block):
        raise CorruptAudio(f"WebM block: expected a header of {at} bytes, found {len(block)}")
    lacing = block[at - 1] & _LACING
    if not lacing:
        yield bytes(block[at:])
        return
    if at == len(block):
        raise CorruptAudio("WebM block: expected a lace count, found the end")
    count = block[at] + 1
    sizes, at = _LACES[lacing](block, at + 1, count)
    last = len(block) - at - sum(sizes)
    if last < 0 or any(size < 0 for size in sizes):
        raise CorruptAudio(f"WebM block: its laces claim {sum(sizes)} bytes, {len(block) - at} are left")
    for size in (*sizes, last):
        yield bytes(block[at : at + size])
        at += size


def _xiph_sizes(block: Bytes, at: int, count: int) -> tuple[list[int], int]:
    sizes: list[int] = []
    for _ in range(count - 1):
        size = 0
        more = True
        while more:
            if at >= len(block):
                raise CorruptAudio("WebM block: expected the sizes of its laces, found the end")
            size += block[at]
            more = block[at] == 255  # noqa: PLR2004 - Xiph lacing: the sum goes on
            at += 1
        sizes.append(size)
    return sizes, at


def _ebml_sizes(block: Bytes, at: int, count: int) -> tuple[list[int], int]:
    sizes: list[int] = []
    for index in range(count - 1):
        start = at
        value, at, _ = vint(block, at, "lace size")
        # The first size stands as it is, each next as the difference to the one before, offset to be positive.
        sizes.append(sizes[-1] + value - ((1 << (7 * (at - start) - 1)) - 1) if index else value)
    return sizes, at


def _fixed_sizes(block: Bytes, at: int, count: int) -> tuple[list[int], int]:
    size, rest = divmod(len(block) - at, count)
    if rest:
        raise CorruptAudio(f"WebM block: {len(block) - at} bytes cannot be {count} laces of one size")
    return [size] * (count - 1), at


_LACES = {_XIPH: _xiph_sizes, _FIXED: _fixed_sizes, _EBML_LACING: _ebml_sizes}
