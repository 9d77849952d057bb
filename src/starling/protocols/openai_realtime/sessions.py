"""A transcription session as its client asks for it, and what that means here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

from starling.core.audio import SAMPLE_RATES, AudioFormat, Encoding
from starling.core.config import ENDPOINT_SILENCE_RANGE, SessionConfig
from starling.core.errors import InvalidOption
from starling.protocols.foreign import expected
from starling.protocols.verbs import Offer

SEMANTIC_SILENCE: Final = 1.0
FINISHED_SILENCE: Final = 0.3
"""Seconds of silence that end a turn with semantic_vad: in any case, and when its text looks finished (docs/decisions/0052)."""


class Pcm(Struct, frozen=True, tag_field="type", tag="audio/pcm"):
    """16-bit little endian, one channel."""

    rate: int = 24_000


class Pcmu(Struct, frozen=True, tag_field="type", tag="audio/pcmu"):
    """G.711 mu-law at 8 kHz."""


class Pcma(Struct, frozen=True, tag_field="type", tag="audio/pcma"):
    """G.711 A-law at 8 kHz."""


class Transcription(Struct, frozen=True):
    """What is known of the speech."""

    model: str | None = None
    language: str | None = None
    prompt: str | None = None
    keywords: list[str] | None = None


class ServerVad(Struct, frozen=True, tag_field="type", tag="server_vad"):
    """Turns end after silence."""

    silence_duration_ms: int | None = None


class SemanticVad(Struct, frozen=True, tag_field="type", tag="semantic_vad"):
    """Turns end when what was said looks finished."""


Detection: TypeAlias = ServerVad | SemanticVad | None
"""None: the client says where items end."""


class Input(Struct, frozen=True):
    """All there is of a transcription session."""

    format: Pcm | Pcmu | Pcma = Pcm()
    transcription: Transcription | None = None
    turn_detection: Detection = ServerVad()


FIELDS: Final = ("format", "transcription", "noise_reduction", "turn_detection")
"""Of ``audio.input``: each is replaced as a whole."""

INITIAL: Final[Mapping[str, Any]] = {
    "format": {"type": "audio/pcm", "rate": 24_000},
    "transcription": None,
    "noise_reduction": None,
    "turn_detection": {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": None},
}


class TranscriptionSession:
    """The session as it is now. ``effective``: ``audio.input`` as the client reads it back."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer
        default = round(offer.defaults.endpoint_silence * 1000)
        self._server_vad = {**INITIAL["turn_detection"], "silence_duration_ms": default}
        self.effective: dict[str, Any] = {**INITIAL, "turn_detection": self._server_vad}
        self.include: list[str] | None = None
        self._input = Input()
        self.config = self._config(self._input)

    @property
    def by_hand(self) -> bool:
        """Whether the client says where items end."""
        return self._input.turn_detection is None

    @property
    def audio(self) -> AudioFormat:
        return _format(self._input)

    def update(self, given: Mapping[str, Any], *, begun: bool) -> None:
        """Change what ``given``, the ``session`` of an update, names. ``begun``: audio came already.

        Raises InvalidOption, naming the field; then nothing has changed.
        """
        if given.get("type", "transcription") != "transcription":
            raise InvalidOption("session.type must be transcription: this server holds no conversations")
        asked = _object(_object(given, "audio", "session.audio"), "input", "session.audio.input")
        effective = self.effective | {name: asked[name] for name in FIELDS if name in asked}
        effective["format"] = effective["format"] or INITIAL["format"]
        match effective["turn_detection"]:
            case {"type": "server_vad"} as detection:
                effective["turn_detection"] = self._server_vad | {name: it for name, it in detection.items() if it is not None}
        try:
            found = msgspec.convert(effective, Input)
        except msgspec.ValidationError as error:
            what, _, place = str(error).partition(" - at `$")
            raise InvalidOption(f"session.audio.input{place.rstrip('`')}: {what}") from None
        if _format(found) != self.audio and begun:
            raise InvalidOption("session.audio.input.format cannot change once audio came: connect anew")
        config = self._config(found)
        include = given.get("include", self.include)
        self._input, self.config, self.effective = found, config, effective
        self.include = include if isinstance(include, list) else None

    def _config(self, asked: Input) -> SessionConfig:
        config, told = self._offer.defaults, asked.transcription or Transcription()
        match asked.turn_detection:
            case ServerVad(silence_duration_ms=int(silence)):
                low, high = (round(bound * 1000) for bound in ENDPOINT_SILENCE_RANGE)
                if not low <= silence <= high:
                    raise InvalidOption(f"silence_duration_ms must be between {low} and {high}, got {silence}")
                config = config.updated(endpoint_silence=silence / 1000)
            case SemanticVad():
                config = config.updated(endpoint_silence=SEMANTIC_SILENCE, finished_silence=FINISHED_SILENCE)
        return self._offer.capabilities.serve(
            config.updated(
                language=told.language or config.language,
                partials=True,
                words=False,
                partial_words=False,
                hotwords=expected(told.keywords or ()),
            )
        )


def _object(holder: Mapping[str, Any], name: str, path: str) -> Mapping[str, Any]:
    found = holder.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise InvalidOption(f"{path} must be an object")
    return found


def _format(asked: Input) -> AudioFormat:
    match asked.format:
        case Pcm(rate=rate):
            low, high = SAMPLE_RATES
            if not low <= rate <= high:
                raise InvalidOption(f"session.audio.input.format.rate must be between {low} and {high}, got {rate}")
            return AudioFormat(Encoding.PCM_S16LE, rate)
        case Pcmu():
            return AudioFormat(Encoding.MULAW, 8_000)
        case Pcma():
            return AudioFormat(Encoding.ALAW, 8_000)
