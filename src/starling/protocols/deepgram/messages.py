"""The frames of Deepgram's streaming protocol. Times are seconds from the start of the stream."""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec
from msgspec import UNSET, Struct, UnsetType

from starling.core.errors import InvalidMessage

# --- what clients send -------------------------------------------------------------------------------------------------


class KeepAlive(Struct, frozen=True, tag="KeepAlive"):
    """Still there."""


class Finalize(Struct, frozen=True, tag="Finalize"):
    """End what is being said now."""

    channel: int | None = None


class CloseStream(Struct, frozen=True, tag="CloseStream"):
    """No more audio comes."""


class Configure(Struct, frozen=True, tag="Configure"):
    """Other keyterms and features from now on; None leaves them as they are."""

    keyterms: list[str] | None = None
    features: dict[str, bool] | None = None


ClientMessage: TypeAlias = KeepAlive | Finalize | CloseStream | Configure

_CLIENT: Final[msgspec.json.Decoder[ClientMessage]] = msgspec.json.Decoder(ClientMessage)
_ENCODER: Final = msgspec.json.Encoder()


def decode_client(text: str) -> ClientMessage:
    """Raises InvalidMessage for what is no message of a client."""
    try:
        return _CLIENT.decode(text)
    except (ValueError, RecursionError):
        raise InvalidMessage(
            'expected {"type":"KeepAlive"}, Finalize, CloseStream or Configure in a text frame, got something else'
        ) from None


# --- what the server sends ---------------------------------------------------------------------------------------------


class Word(Struct, frozen=True):
    """``word``: in lower case, without punctuation."""

    word: str
    start: float
    end: float
    confidence: float
    punctuated_word: str | UnsetType = UNSET


class Alternative(Struct, frozen=True):
    """What was said."""

    transcript: str
    confidence: float
    words: tuple[Word, ...]


class Channel(Struct, frozen=True):
    """Always one alternative."""

    alternatives: tuple[Alternative, ...]


class ModelInfo(Struct, frozen=True):
    """What recognised it."""

    name: str
    version: str
    arch: str


class ResultsMetadata(Struct, frozen=True):
    """The same in all results of a stream."""

    request_id: str
    model_info: ModelInfo
    model_uuid: str


class Results(Struct, frozen=True, tag="Results", kw_only=True):
    """What was said from ``start`` on, for ``duration``."""

    channel_index: tuple[int, int] = (0, 1)
    duration: float
    start: float
    is_final: bool
    speech_final: bool
    channel: Channel
    metadata: ResultsMetadata
    from_finalize: bool


class SpeechStarted(Struct, frozen=True, tag="SpeechStarted"):
    """Speech was heard after silence."""

    timestamp: float
    channel: tuple[int, ...] = (0,)


class UtteranceEnd(Struct, frozen=True, tag="UtteranceEnd"):
    """No word was said for as long as was asked."""

    last_word_end: float
    channel: tuple[int, int] = (0, 1)


class Metadata(Struct, frozen=True, tag="Metadata", kw_only=True):
    """The last message. ``sha256``: of all audio as it came. ``created``: ISO 8601."""

    transaction_key: str = "deprecated"
    request_id: str
    sha256: str
    created: str
    duration: float
    channels: int


class ConfigureSuccess(Struct, frozen=True, tag="ConfigureSuccess"):
    """``keyterms``: those from now on, if they were named."""

    request_id: str
    keyterms: list[str] | UnsetType = UNSET


class ConfigureFailure(Struct, frozen=True, tag="ConfigureFailure"):
    """Nothing has changed."""

    request_id: str
    code: str
    description: str


class Error(Struct, frozen=True, tag="Error"):
    """Something is wrong."""

    variant: str
    description: str


ServerMessage: TypeAlias = Results | SpeechStarted | UtteranceEnd | Metadata | ConfigureSuccess | ConfigureFailure | Error


def encode(message: ServerMessage) -> str:
    """``message`` as a text frame."""
    return _ENCODER.encode(message).decode()
