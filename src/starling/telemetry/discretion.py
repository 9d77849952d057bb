"""What may stand in a log line. Speech, as text or as sound, may not; neither may secrets.

Two rules keep it out: keys that name speech are dropped, and of values only plain ones are shown, so that an array or a
Transcript logged by mistake shows its type and nothing else. What was refused is named in the line, and counted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from enum import Enum
from numbers import Integral, Real
from os import PathLike, fspath
from types import TracebackType
from typing import Any, Final

from starling.core.errors import StarlingError

SPEECH_KEYS: Final = frozenset(
    {
        "text",
        "stable_text",
        "transcript",
        "transcription",
        "hypothesis",
        "caption",
        "captions",
        "sentence",
        "words",
        "word",
        "hotwords",
        "prompt",
        "audio",
        "samples",
        "pcm",
        "waveform",
        "payload",
        "positional_args",  # what structlog calls the arguments of a %-format
    }
)
"""Keys whose value would be what somebody said, or its sound."""

SECRET: Final = re.compile(
    r"(^|[_-])(token|secret|password|passwd|authorization|cookie|credentials?|api[_-]?key)$", re.IGNORECASE
)
"""Keys whose value is a secret. ``tokens``, a count, is none."""

REDACTED: Final = "[redacted]"

MAX_TEXT: Final = 1000
"""Characters of one string in a log line."""

MAX_ITEMS: Final = 32
"""Items of one list or mapping in a log line."""

MAX_DEPTH: Final = 4
"""Levels of nesting in a log line: of mappings and lists, and of errors that caused each other."""

MAX_FRAMES: Final = 20
"""Frames of one traceback in a log line, the innermost."""

QUOTES_ITS_INPUT: Final = (ValueError, LookupError)
"""Errors whose message usually repeats the value that was wrong, which can be speech; only their type and place are shown."""


def discreet(fields: Mapping[str, Any]) -> dict[str, Any]:
    """``fields`` without speech and secrets, of plain and bounded values only; ``refused`` names what was left out."""
    refused: list[str] = []
    kept = _mapping(fields, refused, MAX_DEPTH)
    return kept | {"refused": refused[:MAX_ITEMS]} if refused else kept


def _mapping(fields: Mapping[str, Any], refused: list[str], depth: int) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in list(fields.items())[:MAX_ITEMS]:
        name = str(_plain(key, refused, 0))
        if name.lower() in SPEECH_KEYS:
            refused.append(name)
        elif SECRET.search(name):
            kept[name] = REDACTED
        else:
            kept[name] = _plain(value, refused, depth - 1)
    return kept


def _plain(value: Any, refused: list[str], depth: int) -> Any:
    shown: Any
    match value:
        case None | bool():
            shown = value
        case Enum():
            shown = _plain(value.value, refused, depth)
        case Integral():
            shown = int(value)
        case Real():
            shown = float(value) if math.isfinite(value) else str(float(value))
        case str():
            shown = printable(value)
        case PathLike():
            shown = printable(str(fspath(value)))
        case BaseException():
            shown = printable(f"{type(value).__name__}: {message_of(value)}")
        case Mapping() if depth:
            shown = _mapping(value, refused, depth)
        case list() | tuple() | set() | frozenset() if depth:
            shown = [_plain(item, refused, depth - 1) for item in list(value)[:MAX_ITEMS]]
        case _:
            refused.append(f"<{type(value).__name__}>")
            shown = refused[-1]
    return shown


def printable(text: str) -> str:
    """``text``, at most ``MAX_TEXT`` characters, with control characters escaped: nobody can forge a line or a colour."""
    shown = text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
    return shown if shown.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in shown)


def message_of(error: BaseException) -> str:
    """The error's message, unless it may quote speech. Messages of StarlingError never do."""
    if isinstance(error, QUOTES_ITS_INPUT) and not isinstance(error, StarlingError):
        return "(message withheld: it may quote its input)"
    return str(error)


def described(error: BaseException, depth: int = MAX_DEPTH) -> dict[str, Any]:
    """One error as one field: ``{"type", "message", "frames", "errors"?, "cause"?}``.

    ``frames``: ``file.py:12 in function``, the innermost last. ``errors``: the members of a group. ``cause``: another such field.
    """
    field: dict[str, Any] = {
        "type": type(error).__name__,
        "message": printable(message_of(error)),
        "frames": _frames(error.__traceback__),
    }
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if depth and isinstance(error, BaseExceptionGroup):
        field["errors"] = [described(member, depth - 1) for member in error.exceptions[:MAX_ITEMS]]
    if depth and cause is not None:
        field["cause"] = described(cause, depth - 1)
    return field


def _frames(traceback: TracebackType | None) -> list[str]:
    frames = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        frames.append(f"{code.co_filename}:{traceback.tb_lineno} in {code.co_qualname}")
        traceback = traceback.tb_next
    return frames[-MAX_FRAMES:]
