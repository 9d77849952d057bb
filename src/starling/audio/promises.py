"""How much sound a recording's header promises, where it says so exactly: less in the file means that it breaks off.

Most lengths that FFmpeg gives are of what it found in the file, or estimates by bit rate, and promise nothing.
"""

from __future__ import annotations

import io
import struct
from typing import BinaryIO, Final

HEAD: Final = 1 << 16
"""Bytes that are looked at."""

EXACT: Final = ("flac", "mov")
"""Containers whose header counts the samples of the track; FFmpeg's names begin so."""

STREAMED: Final = 0x7FFF_0000
"""From here on the size of a WAV's data is some writer's word for "unknown"."""

_XING: Final = (b"Xing", b"Info")
"""In the first frame of an MP3 that says how many frames there are."""

_OGG: Final = b"OggS"
"""How every page of an Ogg begins."""

OGG_FLAGS: Final = 5
OGG_LAST: Final = 4
"""Where in a page its flags are, and which of them its last one has."""

OGG_HEADER: Final = 27
"""Bytes before the table of a page; the last of them says how long that is."""

LONGEST_PAGE: Final = 1 << 16
"""Bytes of a page, at most."""


def head_of(file: BinaryIO) -> bytes:
    """The first bytes of a file that can seek, which is left at its beginning; of others nothing."""
    if not file.seekable():
        return b""
    file.seek(0)
    head = file.read(HEAD)
    file.seek(0)
    return head


def unfinished(file: BinaryIO) -> bool:
    """Whether a file that can seek, which is left at its beginning, is an Ogg without the page that ends it (RFC 3533, 6).

    Only its last page is looked at. A recorder that was killed leaves such a file, and so does a download that broke off.
    """
    if not file.seekable():
        return False
    try:
        file.seek(0)
        if file.read(len(_OGG)) != _OGG:
            return False
        file.seek(max(0, file.seek(0, io.SEEK_END) - 2 * LONGEST_PAGE))
        return not _ends(file.read(2 * LONGEST_PAGE))
    finally:
        file.seek(0)


def _ends(tail: bytes) -> bool:
    """Whether the last page of an Ogg is whole, and says that it is the last."""
    at = tail.rfind(_OGG)
    if at < 0:
        return True  # something else follows, whatever it is
    page = tail[at:]
    if len(page) < OGG_HEADER or len(page) < OGG_HEADER + page[OGG_HEADER - 1]:
        return False
    lacing = page[OGG_HEADER : OGG_HEADER + page[OGG_HEADER - 1]]
    return bool(page[OGG_FLAGS] & OGG_LAST) and len(page) >= OGG_HEADER + len(lacing) + sum(lacing)


def promised(head: bytes, container: str, duration: float | None, *, tracks: int) -> float | None:
    """Seconds, or None. ``container``: FFmpeg's name of it; ``duration``: as it says; ``tracks``: of any kind."""
    match container.partition(",")[0]:
        case "wav":
            return _of_wav(head)
        case "mp3":
            return duration if any(tag in head for tag in _XING) else None
        case "matroska":  # its length is that of the longest track
            return duration if tracks == 1 else None
        case name:
            return duration if name in EXACT else None


def _of_wav(head: bytes) -> float | None:
    at, rate, long = 12, 0, 0
    while at + 8 <= len(head):
        name, size = head[at : at + 4], int.from_bytes(head[at + 4 : at + 8], "little")
        body = head[at + 8 : at + 8 + min(size, 40)]
        if name == b"data":
            size = long or (size if 0 < size < STREAMED else 0)
            return size / rate if size and rate else None
        if name == b"fmt " and len(body) >= 16:  # noqa: PLR2004 - to the end of what all kinds have
            code, channels, samples, _, _, bits = struct.unpack("<HHIIHH", body[:16])
            rate = samples * channels * bits // 8 if code in {1, 3, 6, 7, 0xFFFE} else 0
        if name == b"ds64" and len(body) >= 16:  # noqa: PLR2004 - likewise
            long = int.from_bytes(body[8:16], "little")
        at += 8 + size + size % 2
    return None
