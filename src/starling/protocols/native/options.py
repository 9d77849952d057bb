"""Options on the wire to options of a session, and back."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, UnsetType

from starling.core.audio import AudioFormat
from starling.protocols.native import messages as wire
from starling.protocols.verbs import OpenRequest


def audio_format(start: wire.Start) -> AudioFormat:
    """The audio format ``start`` declares, defaults filled in."""
    if start.audio is UNSET:
        return AudioFormat()
    audio = start.audio
    return AudioFormat(**_given(encoding=audio.encoding, sample_rate=audio.sample_rate, channels=audio.channels))


def client_ref(start: wire.Start) -> str | None:
    """The client's own name for the session, if it gave one."""
    return None if start.client_ref is UNSET else start.client_ref


def changes(message: wire.OptionFrame | wire.SetLangs) -> dict[str, Any]:
    """The fields of SessionConfig that ``message`` sets."""
    if isinstance(message, wire.SetLangs):
        return _given(language=message.source_language, target_language=message.target_language)
    return _given(
        language=message.language,
        partials=message.partials,
        partial_interval=_from_ms(message.partial_interval_ms),
        endpoint_silence=_from_ms(message.endpoint_silence_ms),
        finished_silence=_from_ms(message.finished_silence_ms),
        words=message.words,
        partial_words=message.partial_words,
        vad=message.vad,
        quality=message.quality,
        hotwords=UNSET if message.hotwords is UNSET else wire.hotwords(message.hotwords),
    )


def effective(request: OpenRequest) -> dict[str, Any]:
    """The fields of ``ready`` that say what ``request`` came to."""
    audio, config = request.audio, request.config
    return {
        "audio": wire.EffectiveAudio(encoding=audio.encoding, sample_rate=audio.sample_rate, channels=audio.channels),
        "language": config.language,
        "partials": config.partials,
        "partial_interval_ms": round(config.partial_interval * 1000),
        "endpoint_silence_ms": round(config.endpoint_silence * 1000),
        "finished_silence_ms": round(config.finished_silence * 1000),
        "words": config.words,
        "partial_words": config.partial_words,
        "vad": config.vad,
        "quality": config.quality,
        "hotwords": len(config.hotwords),
        "client_ref": UNSET if request.client_ref is None else request.client_ref,
    }


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not UNSET}


def _from_ms(value: int | UnsetType) -> float | UnsetType:
    return UNSET if value is UNSET else value / 1000
