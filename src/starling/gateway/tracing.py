"""The trace that a client's request is part of (W3C Trace Context)."""

from __future__ import annotations

import re
import secrets
from typing import Final

from starlette.datastructures import Headers

TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
"""W3C Trace Context, section 3.2."""


def trace_id(headers: Headers) -> str:
    """The caller's trace id, or a new one: 32 hexadecimal digits."""
    traceparent = headers.get("traceparent")
    given = TRACEPARENT.fullmatch(traceparent) if traceparent else None
    return given[1] if given else secrets.token_hex(16)
