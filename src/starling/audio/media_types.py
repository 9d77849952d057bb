"""What to call a recording on the web, from what was found inside of it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

UNKNOWN: Final = "application/octet-stream"

_AUDIO: Final = {
    "aac": "audio/aac",
    "ac3": "audio/ac3",
    "aiff": "audio/aiff",
    "amr": "audio/amr",
    "asf": "audio/x-ms-wma",
    "au": "audio/basic",
    "avi": "video/x-msvideo",
    "caf": "audio/x-caf",
    "eac3": "audio/eac3",
    "flac": "audio/flac",
    "flv": "video/x-flv",
    "matroska": "audio/x-matroska",
    "mov": "audio/mp4",
    "mp3": "audio/mpeg",
    "mpeg": "video/mpeg",
    "mpegts": "video/mp2t",
    "ogg": "audio/ogg",
    "tta": "audio/x-tta",
    "w64": "audio/x-w64",
    "wav": "audio/wav",
    "webm": "audio/webm",
    "wv": "audio/x-wavpack",
}
"""By the first of FFmpeg's names of a container; RFC 6381, RFC 9559 and the IANA registry where they have a name."""

_VIDEO: Final = {
    "asf": "video/x-ms-wmv",
    "matroska": "video/x-matroska",
    "mov": "video/mp4",
    "ogg": "video/ogg",
    "webm": "video/webm",
}

_WEBM: Final = frozenset({"opus", "vorbis", "vp8", "vp9", "av1"})
"""What WebM may hold; Matroska with nothing else in it is WebM to whoever plays it."""


def media_type(container: str, *, codecs: Collection[str], video: bool) -> str:
    """``container``: FFmpeg's name of it. ``codecs``: those of all its tracks. ``video``: one of them is a film, not a cover."""
    name = container.partition(",")[0]
    if name == "matroska" and _WEBM.issuperset(codecs):
        name = "webm"
    return (_VIDEO.get(name) if video else None) or _AUDIO.get(name, UNKNOWN)
