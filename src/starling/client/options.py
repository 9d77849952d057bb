"""The options a client may ask for. What it does not name stays as the server has it."""

from __future__ import annotations

from typing import TypedDict

from starling.core.config import SessionConfig, VadMode


class Options(TypedDict, total=False):
    """Keyword arguments of ``connect`` and ``Session.configure``; their meaning and ranges are SessionConfig's."""

    language: str
    target_language: str | None
    partials: bool
    partial_interval: float
    endpoint_silence: float
    words: bool
    vad: VadMode


class WireOptions(TypedDict, total=False):
    """The same as fields of ``start`` and ``configure``."""

    language: str
    partials: bool
    partial_interval_ms: int
    endpoint_silence_ms: int
    words: bool
    vad: VadMode


def on_the_wire(options: Options) -> WireOptions:
    """``options`` as message fields, without ``target_language``, which has a message of its own. Raises InvalidOption."""
    SessionConfig(**options)  # checks the ranges
    wire = WireOptions()
    if "language" in options:
        wire["language"] = options["language"]
    if "partials" in options:
        wire["partials"] = options["partials"]
    if "partial_interval" in options:
        wire["partial_interval_ms"] = round(options["partial_interval"] * 1000)
    if "endpoint_silence" in options:
        wire["endpoint_silence_ms"] = round(options["endpoint_silence"] * 1000)
    if "words" in options:
        wire["words"] = options["words"]
    if "vad" in options:
        wire["vad"] = options["vad"]
    return wire
