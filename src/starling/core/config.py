"""What a session asks for: its options, checked once, immutable after."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from starling.core.errors import InvalidOption
from starling.core.hotwords import HotWord, check_hot_words

PARTIAL_INTERVAL_RANGE = (0.1, 10.0)
ENDPOINT_SILENCE_RANGE = (0.1, 10.0)


class VadMode(StrEnum):
    """Which detectors must hear speech before a segment opens.

    ``BOTH`` means both must agree; ``OFF`` takes all audio for speech.
    """

    BOTH = "both"
    SILERO = "silero"
    WEBRTC = "webrtc"
    OFF = "off"


class Quality(StrEnum):
    """How hard final texts are searched for; each step costs more computing, see docs/decisions/0030.

    ``FAST`` takes the likeliest word each time, ``BALANCED`` follows the best few texts side by side, ``BEST``, meant for
    recordings, also hears everything twice.
    """

    FAST = "fast"
    BALANCED = "balanced"
    BEST = "best"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionConfig:
    """The options of one session.

    ``language``: BCP 47 tag of the speech. ``target_language``: translate finals to it, or None. ``partials``: whether there are
    results before the final. ``partial_interval``: seconds of new speech between them (0.1 to 10). ``endpoint_silence``: seconds
    of silence that end a segment (0.1 to 10); ``finished_silence``: those that do where its text looks finished, if they are
    fewer. ``words``: word times with finals; ``partial_words``: with partials too, where there are any with finals. ``vad``: what
    must hear speech. ``quality``: of finals. ``hotwords``: words and phrases that are expected, see ``hot_words``.
    Raises InvalidOption when a value is out of range.
    """

    language: str = "en"
    target_language: str | None = None
    partials: bool = True
    partial_interval: float = 0.3
    endpoint_silence: float = 0.5
    finished_silence: float = 10.0
    words: bool = False
    partial_words: bool = False
    vad: VadMode = VadMode.BOTH
    quality: Quality = Quality.BALANCED
    hotwords: tuple[HotWord, ...] = ()

    def __post_init__(self) -> None:
        _check_range("partial_interval", self.partial_interval, *PARTIAL_INTERVAL_RANGE)
        _check_range("endpoint_silence", self.endpoint_silence, *ENDPOINT_SILENCE_RANGE)
        _check_range("finished_silence", self.finished_silence, *ENDPOINT_SILENCE_RANGE)
        check_hot_words(self.hotwords)

    def updated(self, **changes: Any) -> SessionConfig:
        """A copy with ``changes`` applied and checked."""
        return replace(self, **changes)


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise InvalidOption(f"{name} must be between {low:g} and {high:g} seconds, got {value:g}")
