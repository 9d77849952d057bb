"""The query of ``/v3/ws``, and what UpdateConfiguration changes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from starling.core.audio import SAMPLE_RATE, AudioFormat, Encoding
from starling.core.config import ENDPOINT_SILENCE_RANGE, SessionConfig
from starling.core.errors import InvalidOption, UnsupportedAudio
from starling.protocols.assemblyai.terms import CONNECTION, SESSION
from starling.protocols.conformance import check
from starling.protocols.foreign import expected, sample_rate
from starling.protocols.verbs import Offer

ENCODINGS: Final[Mapping[str, Encoding]] = {
    "pcm_s16le": Encoding.PCM_S16LE,
    "pcm_mulaw": Encoding.MULAW,
    "ogg_opus": Encoding.OGG_OPUS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnOptions:
    """``formatted``: a turn that ended comes once more, with case and punctuation. ``partial``: turns are told as they grow."""

    config: SessionConfig
    audio: AudioFormat = field(default_factory=AudioFormat)
    formatted: bool = False
    partial: bool = True

    def updated(self, given: Mapping[str, Any], offer: Offer) -> TurnOptions:
        """With what ``given``, a query or a message, names of SESSION. Raises InvalidOption."""
        check(SESSION, {name: value.lower() if isinstance(value, str) else value for name, value in given.items()})
        longest, shortest = _silence(given, "max_turn_silence"), _silence(given, "min_turn_silence")
        if shortest is None:
            shortest = _silence(given, "min_end_of_turn_silence_when_confident")
        changes: dict[str, Any] = {}
        if longest is not None:
            changes["endpoint_silence"] = longest
        if shortest is not None:
            changes["finished_silence"] = shortest
        if (terms := _names(given, "keyterms_prompt")) is not None:
            changes["hotwords"] = expected(terms)
        if languages := _names(given, "language_codes"):
            changes["language"] = _language(languages, offer)
        config = offer.capabilities.serve(self.config.updated(**changes))
        return replace(self, config=config, formatted=_flag(given, "format_turns", default=self.formatted))


def turn_options(query: Sequence[tuple[str, str]], offer: Offer) -> TurnOptions:
    """What ``query`` asks for. Raises InvalidOption and UnsupportedAudio."""
    given: dict[str, Any] = {name: value for name, value in query if value}
    check(CONNECTION, {name: value.lower() for name, value in given.items()})
    if "language_code" in given:
        given.setdefault("language_codes", [given["language_code"]])
    partial = _flag(given, "include_partial_turns", default=True)
    config = offer.defaults.updated(words=True, partials=partial, partial_words=partial)
    return TurnOptions(config=config, audio=_audio(given), partial=partial).updated(given, offer)


def _audio(given: Mapping[str, str]) -> AudioFormat:
    name = given.get("encoding", "pcm_s16le")
    if name not in ENCODINGS:
        raise UnsupportedAudio(f"encoding must be one of {', '.join(ENCODINGS)}, got {name[:40]!r}")
    rate = given.get("sample_rate", str(SAMPLE_RATE))
    return AudioFormat(ENCODINGS[name], sample_rate(int(rate) if rate.isascii() and rate.isdigit() and len(rate) < 7 else None))  # noqa: PLR2004


def _flag(given: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = given.get(name)
    if value is None:
        return default
    known = {"true": True, "1": True, "false": False, "0": False}
    text = str(value).lower()
    if text not in known:
        raise InvalidOption(f"{name} must be true or false")
    return known[text]


def _silence(given: Mapping[str, Any], name: str) -> float | None:
    """Milliseconds as seconds within what a session may have."""
    value = given.get(name)
    if value is None:
        return None
    try:
        milliseconds = float(value)
        low, high = ENDPOINT_SILENCE_RANGE
        return min(high, max(low, milliseconds / 1000)) if milliseconds == milliseconds else low  # noqa: PLR0124 - NaN
    except (TypeError, ValueError):
        raise InvalidOption(f"{name} must be a number of milliseconds") from None


def _names(given: Mapping[str, Any], name: str) -> list[str] | None:
    """A list of strings, which a query has as JSON."""
    value = given.get(name)
    if value is None:
        return None
    try:
        return msgspec.json.decode(value, type=list[str]) if isinstance(value, str) else msgspec.convert(value, list[str])
    except (ValueError, RecursionError):
        raise InvalidOption(f"{name} must be a list of strings, in a query as JSON") from None


def _language(wanted: Sequence[str], offer: Offer) -> str:
    """The first of ``wanted`` that is spoken here."""
    for language in wanted:
        try:
            return offer.capabilities.serve(offer.defaults.updated(language=language)).language
        except InvalidOption:
            continue
    raise InvalidOption(f"language_codes must have one of {', '.join(offer.capabilities.languages)}")
