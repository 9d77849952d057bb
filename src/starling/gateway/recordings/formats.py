"""A job's transcript as a text or a file. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from starling.core.audio import seconds
from starling.core.jobs import JobSegment
from starling.core.subtitles import Segment, to_srt, to_text, to_tsv, to_vtt


class Format(StrEnum):
    """How a transcript is written."""

    JSON = "json"
    TEXT = "text"
    SRT = "srt"
    VTT = "vtt"
    TSV = "tsv"


MEDIA_TYPES: Final[Mapping[Format, str]] = {
    Format.TEXT: "text/plain; charset=utf-8",
    Format.SRT: "application/x-subrip; charset=utf-8",
    Format.VTT: "text/vtt; charset=utf-8",
    Format.TSV: "text/tab-separated-values; charset=utf-8",
}

SUFFIXES: Final[Mapping[Format, str]] = {Format.TEXT: "txt", Format.SRT: "srt", Format.VTT: "vtt", Format.TSV: "tsv"}

_WRITERS: Final[Mapping[Format, Callable[[Sequence[Segment]], str]]] = {
    Format.TEXT: to_text,
    Format.SRT: to_srt,
    Format.VTT: to_vtt,
    Format.TSV: to_tsv,
}


def by_time(segments: Sequence[JobSegment]) -> list[JobSegment]:
    """In the order of what was said, those of several channels between each other."""
    return sorted(segments, key=lambda one: (one.transcript.start, one.channel, one.transcript.segment_id))


def written(form: Format, segments: Sequence[JobSegment]) -> str:
    """``segments`` in ``form``, which is not JSON. Where there are several channels, each line says of which it is."""
    several = len({one.channel for one in segments}) > 1
    return _WRITERS[form]([_segment(one, several=several) for one in by_time(segments)])


def plain_text(segments: Sequence[JobSegment]) -> str:
    """All that was said, in one line."""
    return " ".join(" ".join(one.transcript.text.split()) for one in by_time(segments) if one.transcript.text.strip())


def _segment(one: JobSegment, *, several: bool) -> Segment:
    said = one.transcript
    return Segment(seconds(said.start), seconds(said.end), said.text, one.channel if several else None)
