"""Transcripts as files: plain text, SubRip (SRT) and WebVTT.

SRT has no standard beyond what players do: a counter, ``hh:mm:ss,mmm`` times, text, a blank line. WebVTT is the W3C's
(https://www.w3.org/TR/webvtt1/): a header, ``hh:mm:ss.mmm`` times, and ``&``, ``<`` and ``>`` escaped. A cue holds at most two
lines of 42 characters, as broadcasters' guides have it; a longer segment becomes several cues.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LINE_LENGTH = 42
"""Characters in one line of a cue."""

CUE_LINES = 2
"""Lines in one cue."""


@dataclass(frozen=True, slots=True)
class Segment:
    """What was said from ``start`` to ``end``, in seconds from the start of the recording."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle: ``lines`` stand on the screen from ``start`` to ``end`` milliseconds; ``start < end``."""

    start: int
    end: int
    lines: tuple[str, ...]


def cues(segments: Iterable[Segment]) -> Iterator[Cue]:
    """The cues of ``segments``, which are in the order of time. Each starts at or after the end of the one before it.

    A segment's time is shared among its cues by their number of characters. One without words has no cue.
    """
    free_from = 0
    for segment in segments:
        rows = textwrap.wrap(segment.text, LINE_LENGTH, break_on_hyphens=False)
        blocks = [tuple(rows[at : at + CUE_LINES]) for at in range(0, len(rows), CUE_LINES)]
        total = sum(len(row) for row in rows)
        said = 0
        for block in blocks:
            start = _share(segment, said, total)
            said += sum(len(row) for row in block)
            cue = Cue(max(start, free_from), max(_share(segment, said, total), start + 1, free_from + 1), block)
            free_from = cue.end
            yield cue


def to_text(segments: Iterable[Segment]) -> str:
    """One line per segment that has words."""
    lines = (" ".join(segment.text.split()) for segment in segments)
    return "".join(f"{line}\n" for line in lines if line)


def to_srt(segments: Iterable[Segment]) -> str:
    """SubRip, its cues counted from 1."""
    blocks = []
    for number, cue in enumerate(cues(segments), start=1):
        text = "\n".join(cue.lines)
        blocks.append(f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{text}\n")
    return "\n".join(blocks)


def to_vtt(segments: Iterable[Segment]) -> str:
    """WebVTT."""
    blocks = ["WEBVTT\n"]
    for cue in cues(segments):
        text = "\n".join(cue.lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        blocks.append(f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{text}\n")
    return "\n".join(blocks)


def _share(segment: Segment, said: int, total: int) -> int:
    """When ``said`` of the segment's ``total`` characters are over, in milliseconds."""
    return round(1000 * (segment.start + (segment.end - segment.start) * said / total))


def _clock(milliseconds: int, point: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{rest:03}"
