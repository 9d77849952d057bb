"""The first message of a WhisperLive client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from starling.core.config import SessionConfig
from starling.core.errors import InvalidMessage, InvalidOption, UnsupportedAudio
from starling.protocols.conformance import check
from starling.protocols.foreign import expected
from starling.protocols.whisperlive.terms import OPTIONS

MOST_SEGMENTS: Final = 100
UID_LIMIT: Final = 256
"""Characters."""


class Sample(StrEnum):
    """How samples are encoded."""

    FLOAT32 = "float32"
    INT16 = "int16"
    UINT8 = "uint8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a client asks for. ``language``: None for any."""

    uid: str
    language: str | None
    sample: Sample
    last_segments: int
    words: bool
    hotwords: tuple[str, ...]

    def applied(self, config: SessionConfig) -> SessionConfig:
        """``config`` with what is asked for."""
        changes: dict[str, Any] = {"partials": True, "words": self.words}
        if self.language is not None:
            changes["language"] = self.language
        if self.hotwords:
            changes["hotwords"] = expected(self.hotwords)
        return config.updated(**changes)


def uid_of(message: Mapping[str, Any]) -> str:
    """The client's name for itself, without which it does not listen. Raises InvalidMessage for none."""
    uid = message.get("uid")
    if not isinstance(uid, str) or len(uid) > UID_LIMIT:
        raise InvalidMessage("expected a field 'uid' with a text in the first message, got none")
    return uid


def read_options(message: Mapping[str, Any]) -> Options:
    """The options in ``message``. Raises InvalidMessage, InvalidOption and UnsupportedAudio."""
    uid = uid_of(message)
    check(OPTIONS, message)
    language = message.get("language")
    if language is not None and not isinstance(language, str):
        raise InvalidOption("language must be a language or null, got something else")
    count = message.get("send_last_n_segments", 10)
    if not isinstance(count, int) or not 1 <= count <= MOST_SEGMENTS:
        raise InvalidOption(f"send_last_n_segments must be between 1 and {MOST_SEGMENTS}, got another value")
    try:
        sample = Sample(message.get("audio_format") or Sample.FLOAT32)
    except ValueError:
        raise UnsupportedAudio(f"audio_format must be one of {', '.join(Sample)}, got another value") from None
    return Options(
        uid=uid,
        language=language or None,
        sample=sample,
        last_segments=count,
        words=bool(message.get("word_timestamps")),
        hotwords=_phrases(message.get("hotwords")),
    )


def _phrases(given: object) -> tuple[str, ...]:
    if isinstance(given, str):
        return tuple(given.split(","))
    if isinstance(given, list) and all(isinstance(phrase, str) for phrase in given):
        return tuple(given)
    if given is None:
        return ()
    raise InvalidOption("hotwords must be a text or a list of texts, got something else")
