"""What a recording is, from its header, without decoding it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from starling.audio.recording import Recording

BUDGET: Final = 64 << 20
"""Bytes that a look at a recording may read: the index of a film of some hours is a few MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What is inside a recording. ``media_type``: for the web. ``codec``: FFmpeg's name of it. ``sample_rate``: in Hz.

    ``duration``: seconds as the header says or FFmpeg estimates, which may be wrong; None where neither does.
    """

    media_type: str
    codec: str
    channels: int
    sample_rate: int
    duration: float | None


def probe(source: str | Path | BinaryIO) -> Probe:
    """Look into ``source``: a path, or a binary file that can seek, which is left open. Its name and declared type do not matter.

    Blocks for some milliseconds, and reads ``BUDGET`` bytes at most. The header is read by FFmpeg, in C: of files that strangers
    send, do it where a crash ends nothing else. Raises OSError as ``open`` does, CorruptAudio for what is no recording or is cut
    off before anything can be heard, UnsupportedAudio for one without sound, encrypted, or of a codec that is not built in.
    """
    with Recording(source, budget=BUDGET) as recording:
        recording.check_readable()
        return Probe(
            media_type=recording.media_type,
            codec=recording.codec,
            channels=recording.channels,
            sample_rate=recording.sample_rate,
            duration=recording.duration,
        )
