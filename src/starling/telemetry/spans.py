"""What was done, piece by piece, for whoever follows one session or job through all processes: spans, as OpenTelemetry has them.

::

    span = tracer.below(opened.span, SpanName.SEGMENT, at=began)
    span.set({"starling.segment.id": 3})
    span.end()

A span without a context is one that nobody records: it takes everything, and does nothing. No span can hold speech or secrets:
its attributes are those of ``Attributes``, numbers, truth values and identifiers, and what is none of these is left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Final, TypeAlias

from starling.core.tracing import SpanContext, Trace, new_span_id
from starling.telemetry.attributes import IDENTIFIER, Attributes, Value, plain

MOST_EVENTS: Final = 32
"""Events of one span: of those that come after them the number is kept."""

_RATIO_OF: Final = 1 << 64


class SpanName(StrEnum):
    """What spans there are."""

    SESSION = "session"
    SEGMENT = "segment"
    TAKEOVER = "takeover"
    DRAIN = "drain"
    SUBMIT = "submit"
    ATTEMPT = "attempt"
    CALLBACK = "callback"


class SpanKind(IntEnum):
    """Who caused it, by OpenTelemetry's numbers."""

    INTERNAL = 1
    SERVER = 2
    CLIENT = 3
    PRODUCER = 4
    CONSUMER = 5


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened within a span, at Unix time ``at``."""

    name: str
    at: float
    attributes: Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A span that has ended. Times are Unix seconds. ``error``: the code of what went wrong, empty if nothing did.

    ``unkept``: events that there was no room for.
    """

    name: SpanName
    context: SpanContext
    kind: SpanKind
    start: float
    end: float
    attributes: Mapping[str, Value] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    error: str = ""
    unkept: int = 0


Export: TypeAlias = Callable[[Span], None]
"""Takes a span that has ended. Never waits, and never raises."""


class ActiveSpan:
    """A span that has not ended. ``context``: what others go below; None of one that is not recorded."""

    __slots__ = ("_attributes", "_events", "_export", "_kind", "_name", "_start", "_unkept", "_wall", "context")

    def __init__(
        self,
        context: SpanContext | None,
        name: SpanName,
        kind: SpanKind,
        *,
        start: float,
        export: Export | None,
        wall: Callable[[], float],
    ) -> None:
        self.context = None if export is None else context
        self._name = name
        self._kind = kind
        self._start = start
        self._export = export
        self._wall = wall
        self._attributes: dict[str, Value] = {}
        self._events: list[Event] = []
        self._unkept = 0

    @property
    def span_id(self) -> str:
        """16 hexadecimal digits; empty of one that is not recorded."""
        return "" if self.context is None else self.context.span_id

    def set(self, attributes: Attributes) -> None:
        """Say more of it."""
        if self.context is not None:
            self._attributes.update(plain(attributes))

    def event(self, name: str, attributes: Attributes | None = None) -> None:
        """``name``: a fixed phrase."""
        if self.context is None:
            return
        if len(self._events) < MOST_EVENTS:
            self._events.append(Event(name, self._wall(), plain(attributes or {})))
        else:
            self._unkept += 1

    def end(self, *, error: str = "", at: float | None = None) -> None:
        """It is over, by an error with the code ``error`` if there is one. Later calls do nothing.

        ``at``: Unix time, now if None.
        """
        if self.context is None or self._export is None:
            return
        end = self._wall() if at is None else at
        error = error if IDENTIFIER.fullmatch(error) else "error"
        self._export(
            Span(
                name=self._name,
                context=self.context,
                kind=self._kind,
                start=min(self._start, end),
                end=end,
                attributes=self._attributes | ({"error.type": error} if error else {}),
                events=tuple(self._events),
                error=error,
                unkept=self._unkept,
            )
        )
        self._export = None

    def abandon(self) -> None:
        """Somebody else ends it, or nobody."""
        self._export = None


class Tracer:
    """Begins spans. ``export``: who gets those that end; None records nothing. ``wall``: Unix seconds.

    ``ratio``: the share of new traces that is recorded, 0 to 1. Of a caller's trace it is recorded what the caller records.
    """

    def __init__(self, export: Export | None = None, *, ratio: float = 1.0, wall: Callable[[], float] = time.time) -> None:
        self._export = export
        self._least = round(ratio * _RATIO_OF)
        self._wall = wall

    def now(self) -> float:
        """Unix time."""
        return self._wall()

    def root(self, trace: Trace) -> SpanContext | None:
        """The context of the first span here of ``trace``; None if it is not recorded."""
        if self._export is None or not (self._drawn(trace.trace_id) if trace.sampled is None else trace.sampled):
            return None
        return SpanContext(trace_id=trace.trace_id, span_id=new_span_id(), parent_id=trace.parent_id, state=trace.state)

    def begin(
        self, context: SpanContext | None, name: SpanName, *, kind: SpanKind = SpanKind.INTERNAL, at: float | None = None
    ) -> ActiveSpan:
        """The span that has ``context``. ``at``: when it began, Unix time; now if None."""
        start = self._wall() if at is None else at
        return ActiveSpan(context, name, kind, start=start, export=self._export, wall=self._wall)

    def below(
        self, parent: SpanContext | None, name: SpanName, *, kind: SpanKind = SpanKind.INTERNAL, at: float | None = None
    ) -> ActiveSpan:
        """A new span below ``parent``; one that is not recorded where that is None."""
        recorded = parent is not None and self._export is not None
        return self.begin(parent.child() if parent is not None and recorded else None, name, kind=kind, at=at)

    def _drawn(self, trace_id: str) -> bool:
        """As OpenTelemetry's TraceIdRatioBased: the same in every process, for the id says it."""
        return int(trace_id[16:], 16) < self._least


NO_TRACER: Final = Tracer()
"""Records nothing."""


def log_ids(span: SpanContext | None) -> dict[str, str]:
    """What a line of the log has of a span, besides the id of its trace."""
    return {} if span is None else {"span_id": span.span_id}
