"""Subtitle files: what is written can be read back, and times only grow."""

from __future__ import annotations

import html
import re

from hypothesis import given
from hypothesis import strategies as st

from starling.core.subtitles import CUE_LINES, LINE_LENGTH, Cue, Segment, cues, to_srt, to_text, to_vtt

TIMES = re.compile(r"(\d{2,}):(\d\d):(\d\d)[,.](\d{3}) --> (\d{2,}):(\d\d):(\d\d)[,.](\d{3})")
TEXT = st.text(st.sampled_from("abz .,&<>-\n\t\u00e9\u4e2d"), max_size=300)


@st.composite
def recordings(draw: st.DrawFn) -> list[Segment]:
    """Segments in the order of time, some of no length, some that begin before the last has ended."""
    at = 0.0
    segments = []
    for _ in range(draw(st.integers(0, 6))):
        start = max(0.0, at + draw(st.floats(-0.3, 5000)))
        at = start + draw(st.floats(0, 20))
        segments.append(Segment(start, at, draw(TEXT)))
    return segments


def read(text: str) -> list[Cue]:
    """An independent reader of both formats."""
    found = []
    for block in text.split("\n\n"):
        lines = block.strip("\n").split("\n")
        for number, line in enumerate(lines):
            if match := TIMES.fullmatch(line):
                h1, m1, s1, f1, h2, m2, s2, f2 = map(int, match.groups())
                start, end = ((h1 * 60 + m1) * 60 + s1) * 1000 + f1, ((h2 * 60 + m2) * 60 + s2) * 1000 + f2
                found.append(Cue(start, end, tuple(lines[number + 1 :])))
    return found


@given(recordings())
def test_times_grow_and_cues_never_overlap(segments: list[Segment]) -> None:
    end = 0
    for cue in cues(segments):
        assert end <= cue.start < cue.end
        assert 1 <= len(cue.lines) <= CUE_LINES
        assert all(0 < len(line) <= LINE_LENGTH for line in cue.lines)
        end = cue.end


@given(recordings())
def test_no_word_is_lost(segments: list[Segment]) -> None:
    said = "".join("".join(segment.text.split()) for segment in segments)
    shown = "".join("".join(line.split()) for cue in cues(segments) for line in cue.lines)
    assert shown == said
    assert "".join(to_text(segments).split()) == said


@given(recordings())
def test_srt_reads_back_as_written(segments: list[Segment]) -> None:
    assert read(to_srt(segments)) == list(cues(segments))


@given(recordings())
def test_vtt_reads_back_as_written(segments: list[Segment]) -> None:
    text = to_vtt(segments)
    assert text.startswith("WEBVTT\n")
    assert [Cue(cue.start, cue.end, tuple(map(html.unescape, cue.lines))) for cue in read(text)] == list(cues(segments))


def test_a_short_segment_is_one_cue_over_its_whole_time() -> None:
    assert to_srt([Segment(3661.5, 3662.25, "Hello there.")]) == "1\n01:01:01,500 --> 01:01:02,250\nHello there.\n"
    assert to_vtt([Segment(0.0, 1.5, "a < b")]) == "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\na &lt; b\n"


def test_a_long_segment_is_shared_out_by_its_characters() -> None:
    half = "x" * LINE_LENGTH
    assert list(cues([Segment(10.0, 14.0, f"{half} {half} {half} {half}")])) == [
        Cue(10_000, 12_000, (half, half)),
        Cue(12_000, 14_000, (half, half)),
    ]


def test_nothing_said_is_an_empty_file() -> None:
    assert to_srt([]) == to_text([Segment(0, 1, " ")]) == ""
    assert to_vtt([]) == "WEBVTT\n"
