"""The options a client may ask for. What it does not name stays as the server has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypedDict

from starling.core.config import Quality, SessionConfig, VadMode
from starling.core.hotwords import HotWord, hot_words
from starling.protocols.native import messages as wire

IN_SECONDS: Final = ("partial_interval", "endpoint_silence", "finished_silence")
"""Options that travel in whole milliseconds, under a name that says so."""


class Options(TypedDict, total=False):
    """Keyword arguments of ``connect`` and ``Session.configure``; their meaning and ranges are SessionConfig's."""

    language: str
    target_language: str | None
    partials: bool
    partial_interval: float
    endpoint_silence: float
    finished_silence: float
    words: bool
    partial_words: bool
    vad: VadMode
    quality: Quality
    hotwords: Sequence[str | HotWord]


def session_config(options: Options) -> SessionConfig:
    """``options`` as a session without a server takes them. Raises InvalidOption for a value out of range."""
    given: dict[str, Any] = {**options}
    if "hotwords" in given:
        given["hotwords"] = hot_words(given["hotwords"])
    return SessionConfig(**given)


def on_the_wire(options: Options) -> dict[str, Any]:
    """``options`` as fields of ``start`` and ``configure``: all but ``target_language``, which has a message of its own.

    Raises InvalidOption for a value out of range.
    """
    config = session_config(options)  # checks the ranges
    fields: dict[str, Any] = {name: value for name, value in options.items() if name != "target_language"}
    if "hotwords" in fields:
        fields["hotwords"] = tuple(wire.HotWord(phrase=word.phrase, weight=word.weight) for word in config.hotwords)
    for name in IN_SECONDS:
        if name in fields:
            fields[f"{name}_ms"] = round(fields.pop(name) * 1000)
    return fields
