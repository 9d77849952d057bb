"""Transcripts as files: plain text, SubRip (SRT), WebVTT and tab-separated values.

SRT has no standard beyond what players do: a counter, ``hh:mm:ss,mmm`` times, text, a blank line. WebVTT is the W3C's
(https://www.w3.org/TR/webvtt1/): a header, ``hh:mm:ss.mmm`` times, and ``&``, ``<`` and ``>`` escaped. A cue holds at most two
lines of 42 characters, as broadcasters' guides have it; a longer segment becomes several cues. Where channels are told apart,
each has its own cues, which may overlap those of others, and each begins with its channel.
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
    """What was said from ``start`` to ``end``, in seconds from the start of the recording.

    ``channel``: counts from 0; None where channels are not told apart.
    """

    start: float
    end: float
    text: str
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle: ``lines`` stand on the screen from ``start`` to ``end`` milliseconds; ``start < end``."""

    start: int
    end: int
    lines: tuple[str, ...]
    channel: int | None = None


def cues(segments: Iterable[Segment]) -> Iterator[Cue]:
    """The cues of ``segments``, which are in the order of time. Each starts when the one before on its channel has ended.

    A segment's time is shared among its cues by their number of characters. One without words has no cue.
    """
    free: dict[int | None, int] = {}
    for segment in segments:
        free_from = free.get(segment.channel, 0)
        rows = textwrap.wrap(segment.text, LINE_LENGTH, break_on_hyphens=False)
        blocks = [tuple(rows[at : at + CUE_LINES]) for at in range(0, len(rows), CUE_LINES)]
        total = sum(len(row) for row in rows)
        said = 0
        for block in blocks:
            start = _share(segment, said, total)
            said += sum(len(row) for row in block)
            end = max(_share(segment, said, total), start + 1, free_from + 1)
            cue = Cue(max(start, free_from), end, block, segment.channel)
            free_from = free[segment.channel] = cue.end
            yield cue


def to_text(segments: Iterable[Segment]) -> str:
    """One line per segment that has words."""
    lines = ((segment.channel, " ".join(segment.text.split())) for segment in segments)
    return "".join(f"{_speaker(channel)}{line}\n" for channel, line in lines if line)


def to_srt(segments: Iterable[Segment]) -> str:
    """SubRip, its cues counted from 1."""
    blocks = []
    for number, cue in enumerate(_in_time(segments), start=1):
        text = _speaker(cue.channel) + "\n".join(cue.lines)
        blocks.append(f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{text}\n")
    return "\n".join(blocks)


def to_vtt(segments: Iterable[Segment]) -> str:
    """WebVTT."""
    blocks = ["WEBVTT\n"]
    for cue in _in_time(segments):
        voice = "" if cue.channel is None else f"<v Channel {cue.channel + 1}>"
        text = voice + "\n".join(cue.lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        blocks.append(f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{text}\n")
    return "\n".join(blocks)


def to_tsv(segments: Iterable[Segment]) -> str:
    """Tab-separated values: ``start`` and ``end`` in milliseconds and ``text``, and ``channel`` where channels are told apart."""
    rows = list(segments)
    several = any(row.channel is not None for row in rows)
    lines = ["start\tend\ttext" + ("\tchannel" if several else "")]
    for row in rows:
        text = " ".join(row.text.split())
        last = f"\t{row.channel + 1}" if row.channel is not None else ""
        lines += [f"{round(row.start * 1000)}\t{round(row.end * 1000)}\t{text}{last}"] if text else []
    return "".join(f"{line}\n" for line in lines)


def _in_time(segments: Iterable[Segment]) -> list[Cue]:
    return sorted(cues(segments), key=lambda cue: (cue.start, cue.channel or 0))


def _speaker(channel: int | None) -> str:
    return "" if channel is None else f"Channel {channel + 1}: "


def _share(segment: Segment, said: int, total: int) -> int:
    """When ``said`` of the segment's ``total`` characters are over, in milliseconds."""
    return round(1000 * (segment.start + (segment.end - segment.start) * said / total))


def _clock(milliseconds: int, point: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{rest:03}"
