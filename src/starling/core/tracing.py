"""The trace that work is part of, as W3C Trace Context names it: https://www.w3.org/TR/trace-context/.

A *trace* is all that follows from one request, whichever processes do it; a *span* is one piece of that work, with a
beginning and an end. Work that is handed on carries the ``SpanContext`` of the span that it belongs to.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
"""W3C Trace Context, section 3.2."""

LONGEST_STATE: Final = 512
"""Characters of a ``tracestate`` at most (section 3.3.1.5: at least so many are to be passed on)."""

MOST_MEMBERS: Final = 32
"""Members of a ``tracestate`` at most (section 3.3.1.1)."""

_MEMBER: Final = re.compile(r"[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]")

_SAMPLED: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What a request said of the trace that it is part of, or a new trace.

    ``trace_id``: 32 hexadecimal digits. ``parent_id``: 16 of them, the caller's span; empty in a new trace. ``sampled``: whether
    the caller records it; None where nobody has said. ``state``: what the caller's vendor wants to be passed on.
    """

    trace_id: str
    parent_id: str = ""
    sampled: bool | None = None
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanContext:
    """A span that is recorded, and what others need to put theirs under it. ``parent_id``: empty for the first of a trace."""

    trace_id: str
    span_id: str
    parent_id: str = ""
    state: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """What a request has that is sent within the span."""
        headers = {"traceparent": f"00-{self.trace_id}-{self.span_id}-01"}
        return headers | {"tracestate": self.state} if self.state else headers

    def child(self) -> SpanContext:
        """A new span below this one."""
        return SpanContext(trace_id=self.trace_id, span_id=new_span_id(), parent_id=self.span_id, state=self.state)


def new_trace_id() -> str:
    """32 hexadecimal digits, drawn at random."""
    return secrets.token_hex(16)


def new_span_id() -> str:
    """16 hexadecimal digits, drawn at random, never all 0: that says that there is none."""
    while int(drawn := secrets.token_hex(8), 16) == 0:
        pass
    return drawn


def unrecorded_headers(trace_id: str) -> dict[str, str]:
    """What a request has that is sent in a trace of which nothing is recorded here."""
    return {"traceparent": f"00-{trace_id}-{new_span_id()}-00"}


def trace_of(headers: Mapping[str, str], trace_id: str = "") -> Trace:
    """The trace that a request with ``headers`` (names in lower case) is part of; else ``trace_id``, or a new one."""
    given = TRACEPARENT.fullmatch(headers.get("traceparent", ""))
    if given is None or (given[0].startswith("00") and given[4]):
        return Trace(trace_id=trace_id or new_trace_id())
    sampled = bool(int(given[3], 16) & _SAMPLED)
    return Trace(trace_id=given[1], parent_id=given[2], sampled=sampled, state=_state_of(headers.get("tracestate", "")))


def _state_of(given: str) -> str:
    """``given``, or nothing where it is not as it should be; whole members of it where it is too long."""
    members = [member.strip() for member in given.split(",", MOST_MEMBERS) if member.strip()]
    if len(members) > MOST_MEMBERS or not all(_MEMBER.fullmatch(member) for member in members):
        return ""
    kept = ""
    for member in members:
        longer = f"{kept},{member}" if kept else member
        if len(longer) > LONGEST_STATE:
            break
        kept = longer
    return kept
