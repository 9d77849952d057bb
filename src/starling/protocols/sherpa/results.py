"""Results as sherpa-onnx writes them. A token is a word with the space before it."""

from __future__ import annotations

from collections.abc import Sequence

from starling.core.audio import seconds
from starling.core.transcript import Transcript, Word
from starling.protocols.foreign import json_frame
from starling.protocols.verbs import Frame

GOODBYE = "Done!"


def online(transcript: Transcript | None, segment: int, *, final: bool, eof: bool = False) -> Frame:
    """What a segment says by now; None: nothing. Times of tokens count from the segment's start."""
    text, start = ("", 0) if transcript is None else (transcript.text, transcript.start)
    words = () if transcript is None else transcript.words
    return json_frame(
        {
            "text": text,
            "tokens": [f" {word.text}" for word in words],
            "timestamps": _times(words, start),
            "ys_probs": [],
            "lm_probs": [],
            "context_scores": [],
            "segment": segment,
            "words": [],
            "start_time": round(seconds(start), 2),
            "is_final": final,
            "is_eof": eof,
        }
    )


def offline(finals: Sequence[Transcript]) -> Frame:
    """All that one file says. Times count from the file's start."""
    words = [word for final in finals for word in final.words]
    return json_frame(
        {
            "lang": "",
            "emotion": "",
            "event": "",
            "text": " ".join(final.text for final in finals),
            "timestamps": _times(words, 0),
            "durations": [round(seconds(word.end - word.start), 2) for word in words],
            "tokens": [f" {word.text}" for word in words],
            "ys_log_probs": [],
            "words": [],
        }
    )


def _times(words: Sequence[Word], start: int) -> list[float]:
    return [round(max(0.0, seconds(word.start - start)), 2) for word in words]
