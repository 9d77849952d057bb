"""What a span may say: numbers, truth values and identifiers by names that are listed here, and so neither speech nor secrets."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, Final, TypeAlias, TypedDict, cast

IDENTIFIER: Final = re.compile(r"[A-Za-z0-9_.:/@+\-\[\]]{0,128}")
"""What an attribute of text may be: a name that a program gave, never a sentence."""

Attributes = TypedDict(
    "Attributes",
    {
        "error.type": str,
        "http.response.status_code": int,
        "starling.attempt": int,
        "starling.audio.encoding": str,
        "starling.audio_seconds": float,
        "starling.codec": str,
        "starling.compute_seconds": float,
        "starling.end_reason": str,
        "starling.endpoint_wait_seconds": float,
        "starling.grace_seconds": float,
        "starling.job.id": str,
        "starling.language": str,
        "starling.latency_seconds": float,
        "starling.model": str,
        "starling.outcome": str,
        "starling.partial_count": int,
        "starling.position_seconds": float,
        "starling.protocol": str,
        "starling.segment.id": int,
        "starling.session.id": str,
        "starling.sessions": int,
        "starling.sessions_handed_over": int,
        "starling.size_bytes": int,
        "starling.takeover": bool,
        "starling.tenant": str,
        "starling.word_count": int,
        "starling.worker": str,
    },
    total=False,
)
"""All there are, by name."""

_TYPES: Final[Mapping[str, type]] = Attributes.__annotations__

_LARGEST: Final = (1 << 63) - 1

Value: TypeAlias = str | int | float | bool


def plain(attributes: Attributes) -> dict[str, Value]:
    """``attributes`` without those that there are not, or whose value is none that they may have."""
    given = cast("Mapping[str, Any]", attributes)
    fitted = {name: _fitted(value, _TYPES.get(name)) for name, value in given.items()}
    return {name: value for name, value in fitted.items() if value is not None}


def _fitted(value: Any, kind: type | None) -> Value | None:
    if kind is bool or isinstance(value, bool):
        return value if kind is bool and isinstance(value, bool) else None
    if kind is str and isinstance(value, str):
        return str(value) if IDENTIFIER.fullmatch(value) else None
    if kind is int and isinstance(value, Integral):
        return int(value) if abs(int(value)) <= _LARGEST else None
    if kind is float and isinstance(value, Real):
        return float(value) if math.isfinite(value) else None
    return None
