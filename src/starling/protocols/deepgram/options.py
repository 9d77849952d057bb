"""The query of ``/v1/listen`` to options of a session."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starling.core.audio import CHANNELS, SAMPLE_RATES, AudioFormat, Encoding, samples
from starling.core.config import ENDPOINT_SILENCE_RANGE, SessionConfig
from starling.core.errors import InvalidOption, UnsupportedAudio
from starling.protocols.deepgram.parameters import OFF, ON, Parameters
from starling.protocols.foreign import expected
from starling.protocols.verbs import Offer

ENCODINGS: Final[Mapping[str, Encoding]] = {
    "linear16": Encoding.PCM_S16LE,
    "linear32": Encoding.PCM_F32LE,
    "mulaw": Encoding.MULAW,
    "alaw": Encoding.ALAW,
    "opus": Encoding.OGG_OPUS,
    "ogg-opus": Encoding.OGG_OPUS,
    "flac": Encoding.FLAC,
}
"""Those that can be decoded. Both names of Opus are that in Ogg: Opus alone does not say where a packet ends."""

TELEPHONY: Final = {Encoding.MULAW: 8_000, Encoding.ALAW: 8_000}
"""Rates, in Hz, of what may leave out its own."""

CONTAINED: Final = frozenset({Encoding.OGG_OPUS, Encoding.FLAC})

SHORTEST_ENDPOINTING: Final = 0.3
"""Seconds of silence that end an utterance at least: see docs/decisions/0110."""

UTTERANCE_END_MS: Final = (1_000, 60_000)

LONGEST_ENDPOINTING_MS: Final = round(ENDPOINT_SILENCE_RANGE[1] * 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenOptions:
    """``audio``: None for a container that says itself what it is. ``utterance_end``: in samples, None to say nothing of it.

    ``endpointing``: whether the end of speech is told. ``formatted``: texts have their case and punctuation.
    """

    audio: AudioFormat | None
    config: SessionConfig
    endpointing: bool = True
    utterance_end: int | None = None
    vad_events: bool = False
    formatted: bool = False


def listen_options(query: Sequence[tuple[str, str]], offer: Offer) -> ListenOptions:
    """What ``query`` asks for. Raises InvalidOption and UnsupportedAudio, naming the parameter."""
    given = Parameters(query)
    interim = given.flag("interim_results")
    utterance_end = given.number("utterance_end_ms", *UTTERANCE_END_MS)
    if utterance_end is not None and not interim:
        raise InvalidOption("utterance_end_ms needs interim_results=true beside it")
    endpointing, silence = _endpointing(given, offer.defaults.endpoint_silence)
    config = offer.defaults.updated(
        language=given.last("language") or offer.defaults.language,
        partials=interim,
        endpoint_silence=silence,
        words=True,
        partial_words=interim,
        hotwords=expected((*given.all("keyterm"), *wanted(given.all("keywords")))),
    )
    return ListenOptions(
        audio=_audio(given),
        config=offer.capabilities.serve(config),
        endpointing=endpointing,
        utterance_end=None if utterance_end is None else samples(utterance_end / 1000),
        vad_events=given.flag("vad_events"),
        formatted=given.flag("punctuate") or given.flag("smart_format"),
    )


def _audio(given: Parameters) -> AudioFormat | None:
    name = given.last("encoding")
    rate = given.number("sample_rate", *SAMPLE_RATES)
    channels = given.number("channels", *CHANNELS) or 1
    if name is None:
        return None
    if name not in ENCODINGS:
        raise UnsupportedAudio(f"encoding must be one of {', '.join(ENCODINGS)}, got {name[:40]!r}")
    encoding = ENCODINGS[name]
    if encoding in CONTAINED:
        return AudioFormat(encoding)
    rate = rate or TELEPHONY.get(encoding)
    if rate is None:
        raise InvalidOption(f"encoding={name} needs sample_rate beside it: add sample_rate=16000, or what it is")
    return AudioFormat(encoding, rate, channels)


def _endpointing(given: Parameters, default: float) -> tuple[bool, float]:
    """Whether the end of speech is told, and the seconds of silence after which it is."""
    value = (given.last("endpointing") or "true").lower()
    if value in ON - {"1"}:
        return True, default
    if value in OFF:
        return False, default
    asked = given.number("endpointing", 0, LONGEST_ENDPOINTING_MS) or 0
    return True, max(SHORTEST_ENDPOINTING, asked / 1000)


def wanted(keywords: Iterable[str]) -> Iterator[str]:
    """The phrases of entries like ``word`` and ``word:boost``, without those whose boost, 0 or less, is to suppress them."""
    for entry in keywords:
        phrase, _, boost = entry.rpartition(":")
        try:
            if float(boost) > 0:
                yield phrase
        except ValueError:
            yield entry
