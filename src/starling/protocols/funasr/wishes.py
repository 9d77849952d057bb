"""What a 2pass client has asked for so far: every message may change some of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from starling.core.audio import SAMPLE_RATE
from starling.core.errors import InvalidOption, UnsupportedAudio
from starling.core.hotwords import HotWord
from starling.protocols.foreign import expected, sample_rate
from starling.protocols.funasr.hotwords import read_hot_words

NAME_LIMIT: Final = 256
"""Characters."""

PCM: Final = "pcm"
ONLY_PCM: Final = "ERROR. Real-time transcription service ONLY SUPPORT PCM stream."
"""As the other server says it; clients show it as text."""


class Mode(StrEnum):
    """Which results a client wants: as it is spoken, sentence by sentence, or both."""

    OFFLINE = "offline"
    ONLINE = "online"
    TWO_PASS = "2pass"  # noqa: S105 (no password)


@dataclass(frozen=True, slots=True)
class Wishes:
    """The fields that matter here, with the other server's defaults. ``whole``: audio is a whole file and no bare samples."""

    mode: Mode = Mode.TWO_PASS
    name: str = "wav-default-id"
    whole: bool = False
    rate: int = SAMPLE_RATE
    hotwords: tuple[HotWord, ...] = ()

    def told(self, message: Mapping[str, Any]) -> Wishes:
        """With what ``message`` changes. Raises InvalidOption and UnsupportedAudio."""
        changes: dict[str, Any] = {}
        if "mode" in message:
            changes["mode"] = _mode(message["mode"])
        if "wav_name" in message:
            changes["name"] = _text("wav_name", message["wav_name"])[:NAME_LIMIT]
        if "wav_format" in message:
            changes["whole"] = _text("wav_format", message["wav_format"]).lower() != PCM
        if "audio_fs" in message:
            changes["rate"] = sample_rate(message["audio_fs"])
        for name in ("hotword", "hotwords"):
            if name in message:
                changes["hotwords"] = expected(read_hot_words(message[name]))
        wishes = replace(self, **changes)
        if wishes.whole and wishes.mode is not Mode.OFFLINE:
            raise UnsupportedAudio(ONLY_PCM)
        return wishes


def _mode(value: object) -> Mode:
    try:
        return Mode(_text("mode", value).lower())
    except ValueError:
        raise InvalidOption(f"mode must be one of {', '.join(Mode)}, got another value") from None


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidOption(f"{name} must be a text, got something else")
    return value
