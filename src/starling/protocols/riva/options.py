"""A ``RecognitionConfig`` to options of a session."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from starling.core.audio import AudioFormat, Encoding
from starling.core.config import ENDPOINT_SILENCE_RANGE, SessionConfig
from starling.core.errors import InvalidOption, UnsupportedAudio
from starling.protocols.conformance import check
from starling.protocols.foreign import CONTAINERS, MAGIC, expected, sample_rate
from starling.protocols.riva.terms import CONFIG
from starling.protocols.verbs import Offer
from starling.protocols.wire import riva_asr_pb2 as wire

PLAIN: Final = (wire.ENCODING_UNSPECIFIED, wire.LINEAR_PCM)
"""What may also be a file with a header: Riva's own client sends WAV files so."""

TELEPHONY: Final[Mapping[int, Encoding]] = {wire.MULAW: Encoding.MULAW, wire.ALAW: Encoding.ALAW}

TELEPHONY_RATE: Final = 8_000

CONTAINED: Final[Mapping[int, Encoding]] = {wire.OGGOPUS: Encoding.OGG_OPUS, wire.FLAC: Encoding.FLAC}

SHORTEST_ENDPOINTING: Final = 0.3
"""Seconds of silence that end an utterance at least: see docs/decisions/0110."""

USUAL_BOOST: Final = 20.0
"""The least that Riva's documents recommend, which is our weight 1."""

HIGHEST_BOOST: Final = 100.0
"""The most, which is our weight 2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a client wants. ``formatted``: texts have their case and punctuation. ``words``: finals have their words."""

    config: SessionConfig
    encoding: int
    rate: int
    channels: int
    formatted: bool
    words: bool

    @property
    def sniffs(self) -> bool:
        """Whether its audio may begin with a header that says what it is."""
        return self.encoding in PLAIN

    def audio(self, beginning: bytes) -> AudioFormat:
        """How audio that begins so is encoded; MAGIC bytes are enough. Raises UnsupportedAudio and InvalidOption."""
        if self.sniffs and (found := CONTAINERS.get(beginning[:MAGIC])) is not None:
            return AudioFormat(found)
        if (contained := CONTAINED.get(self.encoding)) is not None:
            return AudioFormat(contained)
        if (telephony := TELEPHONY.get(self.encoding)) is not None:
            return AudioFormat(telephony, sample_rate(self.rate or TELEPHONY_RATE), self.channels)
        if not self.sniffs:
            raise UnsupportedAudio("encoding must be LINEAR_PCM, FLAC, MULAW, ALAW or OGGOPUS, got another")
        if not self.rate:
            raise InvalidOption("audio without a header needs sample_rate_hertz: say 16000, or what it is")
        return AudioFormat(Encoding.PCM_S16LE, sample_rate(self.rate), self.channels)


def wish(asked: wire.RecognitionConfig, offer: Offer, *, interim: bool) -> Wish:
    """What ``asked`` means here. ``interim``: results before finals. Raises InvalidOption and UnsupportedAudio."""
    channels = asked.audio_channel_count or 1
    check(
        CONFIG,
        {
            "diarization_config.enable_speaker_diarization": asked.diarization_config.enable_speaker_diarization,
            "enable_separate_recognition_per_channel": asked.enable_separate_recognition_per_channel and channels > 1,
            "profanity_filter": asked.profanity_filter,
        },
    )
    if asked.max_alternatives < 0:
        raise InvalidOption(f"max_alternatives must not be negative, got {asked.max_alternatives}")
    defaults, ends = offer.defaults, asked.endpointing_config
    config = defaults.updated(
        language=asked.language_code or defaults.language,
        partials=interim,
        words=asked.enable_word_time_offsets,
        partial_words=False,
        endpoint_silence=_silence("stop_history", ends.stop_history, defaults.endpoint_silence),
        finished_silence=_silence("stop_history_eou", ends.stop_history_eou, defaults.finished_silence),
        hotwords=expected(_weighted(asked)),
    )
    wanted = Wish(
        config=offer.capabilities.serve(config),
        encoding=asked.encoding,
        rate=asked.sample_rate_hertz,
        channels=channels,
        formatted=asked.enable_automatic_punctuation,
        words=asked.enable_word_time_offsets,
    )
    if not wanted.sniffs:
        wanted.audio(b"")
    return wanted


def _silence(name: str, milliseconds: int, default: float) -> float:
    """Seconds; ``default`` where the client has no wish."""
    if not milliseconds:
        return default
    longest = round(ENDPOINT_SILENCE_RANGE[1] * 1000)
    if not 0 < milliseconds <= longest:
        raise InvalidOption(f"endpointing_config.{name} must be 1 to {longest} milliseconds, got {milliseconds}")
    return max(SHORTEST_ENDPOINTING, milliseconds / 1000)


def _weighted(asked: wire.RecognitionConfig) -> Iterator[tuple[str, float]]:
    for context in asked.speech_contexts:
        boost = context.boost or USUAL_BOOST
        if not math.isfinite(boost):
            raise InvalidOption("boost of speech_contexts must be a number")
        if boost > 0:
            beyond = max(0.0, boost - USUAL_BOOST) / (HIGHEST_BOOST - USUAL_BOOST)
            weight = min(boost / USUAL_BOOST, 1.0) + beyond
            yield from ((phrase, weight) for phrase in context.phrases)
