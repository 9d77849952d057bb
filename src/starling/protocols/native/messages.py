"""Every text frame of the native protocol, and its codec.

Client frames are strict: an unknown type, an unknown field or a value out of range is refused, so that a typo is never swallowed.
Server frames are read leniently, so that an old client understands a newer server. Positions and durations are seconds, to the
millisecond; names that end in ``_ms`` are whole milliseconds. Confidences have four digits, which frames see to themselves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias, get_args

import msgspec
from msgspec import UNSET, Struct, UnsetType

from starling.core import hotwords as core
from starling.core.audio import CHANNELS, SAMPLE_RATES, Encoding
from starling.core.config import ENDPOINT_SILENCE_RANGE, PARTIAL_INTERVAL_RANGE, Quality, VadMode
from starling.core.errors import InvalidOption, UnsupportedAudio
from starling.protocols.native.refusal import QUOTE_LIMIT, refusal

CLIENT_REF_LIMIT: Final = 256
TOKEN_LIMIT: Final = 256
COUNT_LIMIT: Final = 2**53 - 1
"""The largest whole number that every JSON library keeps exactly (RFC 8259 section 6)."""
LANGUAGE_LIMIT: Final = 35
"""Characters; RFC 5646 section 4.4.1 asks for room for 35."""


# --- from the client ---------------------------------------------------------------------------------------------------


class ClientFrame(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """What a client may send. An absent field (``UNSET``) leaves the server's default, or the present value, alone."""


class Audio(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the binary frames are encoded. ``sample_rate`` in Hz; both numbers are ignored where the encoding has a header."""

    encoding: Encoding | UnsetType = UNSET
    sample_rate: int | UnsetType = UNSET
    channels: int | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.sample_rate is not UNSET:
            low, high = SAMPLE_RATES
            if not low <= self.sample_rate <= high:
                raise UnsupportedAudio(f"audio.sample_rate must be between {low} and {high} Hz, got {_short(self.sample_rate)}")
        if self.channels is not UNSET:
            low, high = CHANNELS
            if not low <= self.channels <= high:
                raise UnsupportedAudio(f"audio.channels must be between {low} and {high}, got {_short(self.channels)}")


class HotWord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A word or phrase that is expected; a plain string is one of weight 1."""

    phrase: str
    weight: float = 1.0


class OptionFrame(ClientFrame, frozen=True, kw_only=True):
    """The options that ``start`` and ``configure`` share."""

    language: str | UnsetType = UNSET
    partials: bool | UnsetType = UNSET
    partial_interval_ms: int | UnsetType = UNSET
    endpoint_silence_ms: int | UnsetType = UNSET
    finished_silence_ms: int | UnsetType = UNSET
    words: bool | UnsetType = UNSET
    partial_words: bool | UnsetType = UNSET
    vad: VadMode | UnsetType = UNSET
    quality: Quality | UnsetType = UNSET
    hotwords: tuple[str | HotWord, ...] | UnsetType = UNSET

    def __post_init__(self) -> None:
        _check_language("language", self.language)
        _check_ms("partial_interval_ms", self.partial_interval_ms, PARTIAL_INTERVAL_RANGE)
        _check_ms("endpoint_silence_ms", self.endpoint_silence_ms, ENDPOINT_SILENCE_RANGE)
        _check_ms("finished_silence_ms", self.finished_silence_ms, ENDPOINT_SILENCE_RANGE)
        _check_hotwords(self.hotwords)


class Start(OptionFrame, frozen=True, kw_only=True, tag="start"):
    """Open the session. ``client_ref``: the client's own name for it, given back in ``ready``."""

    audio: Audio | UnsetType = UNSET
    client_ref: str | UnsetType = UNSET
    resume: bool | UnsetType = UNSET

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.client_ref is not UNSET and len(self.client_ref) > CLIENT_REF_LIMIT:
            raise InvalidOption(f"client_ref must have at most {CLIENT_REF_LIMIT} characters, got {len(self.client_ref)}")


class Resume(ClientFrame, frozen=True, kw_only=True, tag="resume"):
    """Go on with a session whose connection was lost.

    ``token``: from ``ready``. ``last_result``: segment of the last final that came, or null.
    ``sent``: bytes of audio sent so far.
    """

    token: str
    sent: int
    last_result: int | UnsetType | None = UNSET

    def __post_init__(self) -> None:
        if len(self.token) > TOKEN_LIMIT:
            raise InvalidOption(f"token must have at most {TOKEN_LIMIT} characters, got {len(self.token)}")
        for name, value in (("sent", self.sent), ("last_result", self.last_result)):
            if isinstance(value, int) and not 0 <= value <= COUNT_LIMIT:
                raise InvalidOption(f"{name} must be between 0 and {COUNT_LIMIT}, got {_short(value)}")


class Configure(OptionFrame, frozen=True, kw_only=True, tag="configure"):
    """Change options from the next segment on."""


class SetLangs(ClientFrame, frozen=True, kw_only=True, tag="set_langs"):
    """A form of ``configure``: the language spoken, and the one to translate finals to (``null``: none)."""

    source_language: str | UnsetType = UNSET
    target_language: str | UnsetType | None = UNSET

    def __post_init__(self) -> None:
        _check_language("source_language", self.source_language)
        _check_language("target_language", self.target_language)


class Finalize(ClientFrame, frozen=True, kw_only=True, tag="finalize"):
    """End the open segment now."""


class KeepAlive(ClientFrame, frozen=True, kw_only=True, tag="keepalive"):
    """Still here, nothing to send."""


class End(ClientFrame, frozen=True, kw_only=True, tag="end"):
    """No more audio comes; answer with what is left, then ``done``."""


ClientMessage: TypeAlias = Start | Resume | Configure | SetLangs | Finalize | KeepAlive | End


# --- from the server ---------------------------------------------------------------------------------------------------


class ServerFrame(Struct, frozen=True, kw_only=True, tag_field="type"):
    """What the server sends. ``sequence`` counts the server's frames of the connection from 0, without holes."""

    sequence: int


class EffectiveAudio(Struct, frozen=True, kw_only=True):
    """The audio format the server expects, defaults filled in."""

    encoding: Encoding
    sample_rate: int
    channels: int


class Ready(ServerFrame, frozen=True, kw_only=True, tag="ready"):
    """The session is open, with these options. ``sample_rate``: Hz at which speech is recognised, whatever was sent.

    ``hotwords``: how many there are.
    """

    session_id: str
    trace_id: str
    model: str
    sample_rate: int
    audio: EffectiveAudio
    language: str
    partials: bool
    partial_interval_ms: int
    endpoint_silence_ms: int
    finished_silence_ms: int
    words: bool
    partial_words: bool
    vad: VadMode
    quality: Quality
    hotwords: int
    client_ref: str | UnsetType = UNSET
    resume_token: str | UnsetType = UNSET
    resume_grace: float | UnsetType = UNSET


class Resumed(ServerFrame, frozen=True, kw_only=True, tag="resumed"):
    """The session goes on. ``received``: the bytes of audio that the server has; send on from there."""

    session_id: str
    received: int
    resume_grace: float


class Ack(ServerFrame, frozen=True, kw_only=True, tag="ack"):
    """The first ``received`` bytes of audio are safe, and all that was sent before them: they will not be asked for again."""

    received: int


class SpeechStarted(ServerFrame, frozen=True, kw_only=True, tag="speech_started"):
    """Speech of segment ``segment_id`` was first heard at ``at`` seconds."""

    at: float
    segment_id: int | UnsetType = UNSET


class SpeechEnded(ServerFrame, frozen=True, kw_only=True, tag="speech_ended"):
    """Speech of segment ``segment_id`` ended at ``at`` seconds; that was sure at ``noticed`` seconds."""

    at: float
    segment_id: int | UnsetType = UNSET
    noticed: float | UnsetType = UNSET


class Word(Struct, frozen=True, kw_only=True):
    """One word of a result. ``confidence`` is 0 to 1, to four digits, or null."""

    text: str
    start: float
    end: float
    confidence: float | None


class Result(ServerFrame, frozen=True, kw_only=True, tag="result"):
    """Revision ``version`` of segment ``segment_id``; nothing follows its final. ``words`` is there when it was asked for."""

    session_id: str
    segment_id: int
    version: int
    result_type: Literal["partial", "final"]
    is_final: bool
    text: str
    stable_text: str
    start: float
    end: float
    confidence: float | None
    language: str | None
    trace_id: str
    words: tuple[Word, ...] | UnsetType = UNSET


class Error(ServerFrame, frozen=True, kw_only=True, tag="error"):
    """Something went wrong. ``retry_after`` in seconds; ``segment_id`` names the one segment that has no text because of it."""

    code: str
    message: str
    retryable: bool
    retry_after: float | UnsetType = UNSET
    segment_id: int | UnsetType = UNSET


class Done(ServerFrame, frozen=True, kw_only=True, tag="done"):
    """The last frame: ``audio_seconds`` were heard, ``segments`` finals were sent."""

    session_id: str
    trace_id: str
    audio_seconds: float
    segments: int


ServerMessage: TypeAlias = Ready | Resumed | Ack | SpeechStarted | SpeechEnded | Result | Error | Done


# --- the codec ---------------------------------------------------------------------------------------------------------

_ENCODER = msgspec.json.Encoder()
_CLIENT: Final[msgspec.json.Decoder[ClientMessage]] = msgspec.json.Decoder(ClientMessage)
_SERVER: Final[msgspec.json.Decoder[ServerMessage]] = msgspec.json.Decoder(ServerMessage)
_LANGUAGE: Final = re.compile(r"[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8})*")


def encode(message: ClientMessage | ServerMessage) -> str:
    """The text frame of ``message``."""
    return _ENCODER.encode(message).decode()


def decode_client(text: str) -> ClientMessage:
    """The message in a client's text frame.

    Raises InvalidMessage for anything that is not one (malformed JSON, unknown type or field, wrong type of a value),
    InvalidOption for a value out of range, UnsupportedAudio for an encoding, rate or channel count that is not decoded.
    """
    try:
        return _CLIENT.decode(text)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors; deep nesting ends in RecursionError
        raise refusal(error, lambda path: _fields(text, path)) from None


def decode_server(text: str) -> ServerMessage:
    """The message in a server's text frame. Unknown fields are skipped. Raises InvalidMessage for anything that is not one."""
    try:
        return _SERVER.decode(text)
    except (ValueError, RecursionError) as error:
        raise refusal(error) from None


def _fields(text: str, path: str) -> tuple[str, ...]:
    """The fields that a client's frame ``text`` may have at ``path``, empty for the frame itself: those of the type it names."""
    if path == "audio":
        return Audio.__struct_fields__
    if path.startswith("hotwords["):
        return HotWord.__struct_fields__
    try:
        named = msgspec.json.decode(text, type=_Named).type
    except (ValueError, RecursionError):  # malformed behind what is refused
        return ()
    return next((message.__struct_fields__ for message in get_args(ClientMessage) if message.__struct_config__.tag == named), ())


class _Named(Struct, frozen=True):
    type: str


def wire_seconds(position: float) -> float:
    """``position`` in seconds as it travels: to the millisecond."""
    return round(position, 3)


def wire_confidence(confidence: float | None) -> float | None:
    """``confidence`` (0 to 1, or None) as it travels: to four digits."""
    return None if confidence is None else round(confidence, 4)


def _check_language(name: str, value: str | UnsetType | None) -> None:
    if isinstance(value, str) and (len(value) > LANGUAGE_LIMIT or not _LANGUAGE.fullmatch(value)):
        raise InvalidOption(f"{name} must be a BCP 47 tag such as 'en' or 'pt-BR', got {_short(value)}")


def _check_ms(name: str, value: int | UnsetType, seconds: tuple[float, float]) -> None:
    if value is UNSET:
        return
    low, high = (round(bound * 1000) for bound in seconds)
    if not low <= value <= high:
        raise InvalidOption(f"{name} must be between {low} and {high}, got {_short(value)}")


def hotwords(given: Sequence[str | HotWord]) -> tuple[core.HotWord, ...]:
    """What ``given`` on the wire stands for. Raises InvalidOption for what is out of range, naming it by its place."""
    found: list[core.HotWord] = []
    for place, entry in enumerate(given):
        try:
            found.append(core.HotWord(entry) if isinstance(entry, str) else core.HotWord(entry.phrase, entry.weight))
        except InvalidOption as error:
            raise InvalidOption(f"hotwords[{place}]: {error.message}") from None
    return core.hot_words(found)


def _check_hotwords(given: Sequence[str | HotWord] | UnsetType) -> None:
    if given is not UNSET:
        hotwords(given)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= QUOTE_LIMIT else f"{text[:QUOTE_LIMIT]}..."
