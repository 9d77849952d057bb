"""Deepgram's transcription of recordings: the query of ``POST /v1/listen`` to options, and transcripts to its answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import NAMESPACE_OID, UUID, uuid5

from starling.core.config import SessionConfig
from starling.core.errors import InvalidOption
from starling.core.jobs import Channels, Job, JobSegment
from starling.core.ports import Capabilities
from starling.core.transcript import Transcript, Word
from starling.protocols.conformance import Term, check, ignored, refused, supported
from starling.protocols.deepgram.options import wanted
from starling.protocols.deepgram.parameters import OFF, ON, PARAMETERS
from starling.protocols.deepgram.presenter import UNKNOWN, at
from starling.protocols.foreign import expected
from starling.protocols.warnings import warned
from starling.protocols.words import plain, plain_text

DIALECT: Final = "deepgram"
"""The form of callbacks that are told in this shape."""

_FALSE: Final[tuple[object, ...]] = tuple(OFF)

RECORDED: Final[Mapping[str, Term]] = {
    "language": PARAMETERS["language"],
    "punctuate": PARAMETERS["punctuate"],
    "smart_format": PARAMETERS["smart_format"],
    "paragraphs": supported("one paragraph of all that was said, with its sentences as they were heard"),
    "utterances": supported("what was said without a long pause; `utt_split` is ignored"),
    "multichannel": supported("a transcript of each channel"),
    "keyterm": PARAMETERS["keyterm"],
    "keywords": PARAMETERS["keywords"],
    "callback": supported("answers at once, and tells that URL when it is done, where this server may (`jobs.allow_urls`)"),
    "callback_method": refused("callbacks are told by POST", ("post",)),
    "model": PARAMETERS["model"],
    "version": PARAMETERS["version"],
    "tier": PARAMETERS["tier"],
    "encoding": ignored("what a recording is, is found by looking into it"),
    "sample_rate": ignored("what a recording is, is found by looking into it"),
    "channels": ignored("what a recording is, is found by looking into it"),
    "utt_split": ignored("speech is cut at its pauses"),
    "numerals": PARAMETERS["numerals"],
    "measurements": PARAMETERS["measurements"],
    "dictation": PARAMETERS["dictation"],
    "filler_words": PARAMETERS["filler_words"],
    "tag": PARAMETERS["tag"],
    "extra": PARAMETERS["extra"],
    "mip_opt_out": ignored("the recording is kept for as long as `jobs.recording_days` says, and goes nowhere"),
    "diarize": PARAMETERS["diarize"],
    "diarize_model": PARAMETERS["diarize_model"],
    "redact": PARAMETERS["redact"],
    "profanity_filter": PARAMETERS["profanity_filter"],
    "replace": PARAMETERS["replace"],
    "search": PARAMETERS["search"],
    "detect_entities": PARAMETERS["detect_entities"],
    "detect_language": PARAMETERS["detect_language"],
    "summarize": refused("texts are not summed up", _FALSE),
    "topics": refused("topics are not found", _FALSE),
    "intents": refused("intents are not found", _FALSE),
    "sentiment": refused("moods are not found", _FALSE),
}
"""Parameters of `POST /v1/listen`. Others are ignored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How an answer is written. ``formatted``: texts have their case and punctuation."""

    formatted: bool = False
    utterances: bool = False
    paragraphs: bool = False

    def named(self) -> str:
        """As it is kept with a job whose callback is told later."""
        chosen = [name for name in ("formatted", "utterances", "paragraphs") if getattr(self, name)]
        return f"{DIALECT}?{'&'.join(chosen)}"

    @classmethod
    def read(cls, form: str) -> Shape:
        """What ``named`` wrote."""
        chosen = form.partition("?")[2].split("&")
        return cls(formatted="formatted" in chosen, utterances="utterances" in chosen, paragraphs="paragraphs" in chosen)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedOptions:
    """What a query asks for. ``callback``: a URL, or empty."""

    config: SessionConfig
    channels: Channels
    shape: Shape
    callback: str = ""


def recorded_options(query: Sequence[tuple[str, str]], able: Capabilities, defaults: SessionConfig) -> RecordedOptions:
    """What ``query`` asks for. Raises InvalidOption, naming the parameter."""
    for name, value in query:
        check(RECORDED, {name: value.lower()})
    formatted = any([_flag(query, "punctuate"), _flag(query, "smart_format"), _flag(query, "paragraphs")])
    config = defaults.updated(
        language=_last(query, "language") or defaults.language,
        partials=False,
        words=True,
        hotwords=expected((*_all(query, "keyterm"), *wanted(_all(query, "keywords")))),
    )
    return RecordedOptions(
        config=able.serve(config),
        channels=Channels.SEPARATE if _flag(query, "multichannel") else Channels.MIXED,
        shape=Shape(formatted=formatted, utterances=_flag(query, "utterances"), paragraphs=_flag(query, "paragraphs")),
        callback=_last(query, "callback") or "",
    )


def request_id(job_id: str) -> str:
    """The id of a job (32 hexadecimal digits) as the UUID that names a request."""
    return str(UUID(hex=job_id))


def answer(job: Job, segments: Sequence[JobSegment], able: Capabilities, shape: Shape) -> dict[str, Any]:
    """What a request is answered with, or a callback told, once ``job`` is done."""
    separate = job.options.channels is Channels.SEPARATE
    count = max(1, job.recording.channels) if separate else 1
    channels = [[one.transcript for one in segments if one.channel == channel] for channel in range(count)]
    model_id = str(uuid5(NAMESPACE_OID, f"{able.model} {able.model_version}"))
    results: dict[str, Any] = {"channels": [{"alternatives": [_alternative(finals, shape)]} for finals in channels]}
    if shape.utterances:
        said = [(channel, final) for channel, finals in enumerate(channels) for final in finals if final.text.strip()]
        said.sort(key=lambda one: (one[1].start, one[0]))
        results["utterances"] = [
            _utterance(job.job_id, number, channel, final, shape) for number, (channel, final) in enumerate(said)
        ]
    return {
        "metadata": {
            "transaction_key": "deprecated",
            "request_id": request_id(job.job_id),
            "sha256": job.recording.digest,
            "created": datetime.fromtimestamp(job.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "duration": round(job.recording.duration or job.done, 4),
            "channels": count,
            "models": [model_id],
            "model_info": {model_id: {"name": able.model, "version": able.model_version, "arch": "starling"}},
            **warned(job.warnings),
        },
        "results": results,
    }


def _alternative(finals: Sequence[Transcript], shape: Shape) -> dict[str, Any]:
    said = [final for final in finals if final.text.strip()]
    text = " ".join(_text(final, shape) for final in said)
    known = [_confidence(final) for final in said]
    found: dict[str, Any] = {
        "transcript": text,
        "confidence": round(sum(known) / len(known), 4) if known else 0.0,
        "words": [word for final in said for word in _words(final, shape)],
    }
    if shape.paragraphs:
        sentences = [{"text": _text(final, shape), "start": at(final.start), "end": at(final.end)} for final in said]
        paragraph = {
            "sentences": sentences,
            "num_words": len(found["words"]),
            "start": sentences[0]["start"] if sentences else 0.0,
            "end": sentences[-1]["end"] if sentences else 0.0,
        }
        found["paragraphs"] = {"transcript": text, "paragraphs": [paragraph] if sentences else []}
    return found


def _utterance(job_id: str, number: int, channel: int, final: Transcript, shape: Shape) -> dict[str, Any]:
    return {
        "start": at(final.start),
        "end": at(final.end),
        "confidence": round(_confidence(final), 4),
        "channel": channel,
        "transcript": _text(final, shape),
        "words": _words(final, shape),
        "id": str(uuid5(UUID(hex=job_id), str(number))),
    }


def _words(final: Transcript, shape: Shape) -> list[dict[str, Any]]:
    return [_word(word, _confidence(final), shape) for word in final.words if shape.formatted or plain(word.text)]


def _word(word: Word, overall: float, shape: Shape) -> dict[str, Any]:
    found: dict[str, Any] = {
        "word": plain(word.text) or word.text,
        "start": at(word.start),
        "end": at(word.end),
        "confidence": round(overall if word.confidence is None else word.confidence, 4),
    }
    return found | {"punctuated_word": word.text} if shape.formatted else found


def _text(final: Transcript, shape: Shape) -> str:
    return " ".join(final.text.split()) if shape.formatted else plain_text(final.text)


def _confidence(final: Transcript) -> float:
    return UNKNOWN if final.confidence is None else final.confidence


def _all(query: Sequence[tuple[str, str]], name: str) -> list[str]:
    return [value for given, value in query if given == name and value]


def _last(query: Sequence[tuple[str, str]], name: str) -> str | None:
    return next(reversed(_all(query, name)), None)


def _flag(query: Sequence[tuple[str, str]], name: str) -> bool:
    value = (_last(query, name) or "").lower()
    if value not in OFF | ON:
        raise InvalidOption(f"{name} must be true or false, got {value[:40]!r}")
    return value in ON
