"""What ``starling transcribe`` writes of a recording, wherever it was transcribed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starling.client import task
from starling.client.terminal import plain
from starling.core.audio import seconds
from starling.core.errors import InvalidOption
from starling.core.jobs import Channels, JobSegment
from starling.core.subtitles import Segment, to_srt, to_text, to_tsv, to_vtt
from starling.core.transcript import Transcript, Word
from starling.protocols.native.messages import wire_confidence, wire_seconds

WRITERS: dict[str, Callable[[Sequence[Segment]], str]] = {"txt": to_text, "srt": to_srt, "vtt": to_vtt, "tsv": to_tsv}

FORMS: tuple[str, ...] = (*WRITERS, "json")


@dataclass(frozen=True, slots=True)
class Said:
    """One segment: as subtitles have it, and as JSON has it."""

    segment: Segment
    fields: dict[str, Any]


def forms_of(given: Sequence[str]) -> tuple[str, ...]:
    """The formats that are named, each also with others behind commas. Raises InvalidOption for one that there is not."""
    names = tuple(dict.fromkeys(name.strip() for one in given for name in one.split(",")))
    for name in names:
        if name not in FORMS:
            raise InvalidOption(f"--format must be one or more of {', '.join(FORMS)}, got {name[:40]!r}")
    return names


def said_here(found: Sequence[JobSegment], channels: Channels) -> list[Said]:
    """Segments of this machine, in the order of time."""
    ordered = sorted(found, key=lambda one: (one.transcript.start, one.channel))
    return [_said(_fields(one.transcript), one.channel if channels is Channels.SEPARATE else None) for one in ordered]


def said_there(transcript: task.Transcript, channels: Channels) -> list[Said]:
    """Segments of a server, which cannot steer a terminal by them."""
    return [
        _said(
            {
                "start": one.start,
                "end": one.end,
                "text": plain(one.text),
                "confidence": one.confidence,
                "language": plain(transcript.language),
                "words": [
                    {"start": word.start, "end": word.end, "text": plain(word.word), "confidence": word.confidence}
                    for word in one.words
                ],
            },
            one.channel if channels is Channels.SEPARATE else None,
        )
        for one in transcript.segments
    ]


def rendered(source: str, said: Sequence[Said], form: str) -> str:
    """The whole file in ``form``; JSON is one line."""
    if form == "json":
        return json.dumps({"file": source, "segments": [one.fields for one in said]}, ensure_ascii=False) + "\n"
    return WRITERS[form]([one.segment for one in said])


def _said(fields: dict[str, Any], channel: int | None) -> Said:
    segment = Segment(fields["start"], fields["end"], fields["text"], channel)
    return Said(segment, fields if channel is None else {**fields, "channel": channel})


def _fields(transcript: Transcript) -> dict[str, Any]:
    """As in a ``result`` of the native protocol: times in seconds, to the millisecond."""
    return {
        **_span(transcript),
        "text": transcript.text,
        "confidence": wire_confidence(transcript.confidence),
        "language": transcript.language,
        "words": [
            {**_span(word), "text": word.text, "confidence": wire_confidence(word.confidence)} for word in transcript.words
        ],
    }


def _span(said: Transcript | Word) -> dict[str, float]:
    return {"start": wire_seconds(seconds(said.start)), "end": wire_seconds(seconds(said.end))}
