"""The options a client may ask for. What it does not name stays as the server has it."""

from __future__ import annotations

from typing import Any, Final, TypedDict

from starling.core.config import Quality, SessionConfig, VadMode

IN_SECONDS: Final = ("partial_interval", "endpoint_silence")
"""Options that travel in whole milliseconds, under a name that says so."""


class Options(TypedDict, total=False):
    """Keyword arguments of ``connect`` and ``Session.configure``; their meaning and ranges are SessionConfig's."""

    language: str
    target_language: str | None
    partials: bool
    partial_interval: float
    endpoint_silence: float
    words: bool
    vad: VadMode
    quality: Quality


def on_the_wire(options: Options) -> dict[str, Any]:
    """``options`` as fields of ``start`` and ``configure``: all but ``target_language``, which has a message of its own.

    Raises InvalidOption for a value out of range.
    """
    SessionConfig(**options)  # checks the ranges
    fields: dict[str, Any] = {name: value for name, value in options.items() if name != "target_language"}
    for name in IN_SECONDS:
        if name in fields:
            fields[f"{name}_ms"] = round(fields.pop(name) * 1000)
    return fields
