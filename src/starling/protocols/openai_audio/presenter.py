"""Transcripts in the shapes of OpenAI's API."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from starling.core.audio import seconds
from starling.core.jobs import JobWarning
from starling.core.transcript import Transcript
from starling.protocols.warnings import warned

LANGUAGES: Final[Mapping[str, str]] = {
    "ar": "arabic",
    "de": "german",
    "en": "english",
    "es": "spanish",
    "fr": "french",
    "hi": "hindi",
    "it": "italian",
    "ja": "japanese",
    "ko": "korean",
    "nl": "dutch",
    "pl": "polish",
    "pt": "portuguese",
    "ru": "russian",
    "tr": "turkish",
    "uk": "ukrainian",
    "vi": "vietnamese",
    "zh": "chinese",
}
"""Names of languages in verbose answers; of others, their tag."""

UNSURE: Final = 1e-6


def language_name(tag: str) -> str:
    """``english`` for ``en-US``."""
    return LANGUAGES.get(tag.lower().partition("-")[0], tag)


def text_of(finals: Sequence[Transcript]) -> str:
    """All that was said, in one line."""
    return " ".join(" ".join(final.text.split()) for final in finals if final.text.strip())


def usage(duration: float) -> dict[str, Any]:
    """What was used, in whole seconds."""
    return {"type": "duration", "seconds": math.ceil(duration)}


def plain(finals: Sequence[Transcript], duration: float, warnings: Sequence[JobWarning] = ()) -> dict[str, Any]:
    """The answer in ``json``."""
    return {"text": text_of(finals), "usage": usage(duration)} | warned(warnings)


def verbose(
    finals: Sequence[Transcript],
    duration: float,
    language: str,
    granularities: frozenset[str],
    warnings: Sequence[JobWarning] = (),
) -> dict[str, Any]:
    """The answer in ``verbose_json``: words only where they are asked for, segments unless words alone are."""
    said = [final for final in finals if final.text.strip()]
    answer: dict[str, Any] = {
        "task": "transcribe",
        "language": language_name(language),
        "duration": round(duration, 3),
        "text": text_of(finals),
    }
    if "segment" in granularities:
        answer["segments"] = [_segment(number, final) for number, final in enumerate(said)]
    if "word" in granularities:
        answer["words"] = [
            {"word": word.text, "start": _time(word.start), "end": _time(word.end)} for final in said for word in final.words
        ]
    return answer | {"usage": usage(duration)} | warned(warnings)


def _segment(number: int, final: Transcript) -> dict[str, Any]:
    encoded = final.text.encode()
    return {
        "id": number,
        "seek": round(seconds(final.start) * 100),
        "start": _time(final.start),
        "end": _time(final.end),
        "text": final.text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": round(math.log(max(UNSURE, 1.0 if final.confidence is None else final.confidence)), 4),
        "compression_ratio": round(len(encoded) / len(zlib.compress(encoded)), 4),
        "no_speech_prob": 0.0,
    }


def _time(position: int) -> float:
    return round(seconds(position), 3)


# --- streams -----------------------------------------------------------------------------------------------------------

DONE: Final = b"data: [DONE]\n\n"


class Stream:
    """Server-sent events of one transcription. The deltas add up to the text at the end."""

    def __init__(self) -> None:
        self._finals: list[Transcript] = []

    def add(self, finals: Sequence[Transcript]) -> Iterator[bytes]:
        """What ``finals`` that are new add."""
        for final in finals:
            delta = text_of([final])
            if delta:
                lead = " " if self._finals else ""
                self._finals.append(final)
                yield event({"type": "transcript.text.delta", "delta": lead + delta})

    def done(self, duration: float, warnings: Sequence[JobWarning] = ()) -> bytes:
        """All that there was."""
        return event({"type": "transcript.text.done", **plain(self._finals, duration, warnings)}) + DONE


def event(body: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


# --- models ------------------------------------------------------------------------------------------------------------


def model(name: str, created: int) -> dict[str, Any]:
    """One of the models. ``created``: Unix seconds."""
    return {"id": name, "object": "model", "created": created, "owned_by": "starling"}


def models(names: Sequence[str], created: int) -> dict[str, Any]:
    """All of them."""
    return {"object": "list", "data": [model(name, created) for name in names]}
