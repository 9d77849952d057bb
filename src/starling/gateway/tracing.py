"""What a session tells of itself to whoever follows its trace: the span of its life at gateways, and what happened within it."""

from __future__ import annotations

from starling.core.errors import StarlingError
from starling.core.sessions import SessionEntry
from starling.gateway.listing import Identity
from starling.telemetry.spans import ActiveSpan, SpanKind, SpanName, Tracer


def begun(tracer: Tracer, identity: Identity) -> ActiveSpan:
    """The span of a session whose client has come."""
    span = tracer.begin(identity.span, SpanName.SESSION, kind=SpanKind.SERVER)
    span.set({"starling.session.id": identity.session_id, "starling.tenant": identity.tenant})
    return span


def gone_on(tracer: Tracer, entry: SessionEntry) -> ActiveSpan:
    """That of a session which another gateway began: whoever has it last tells the whole of it."""
    span = tracer.begin(entry.span, SpanName.SESSION, kind=SpanKind.SERVER, at=entry.opened)
    span.set(
        {
            "starling.session.id": entry.session_id,
            "starling.tenant": entry.tenant,
            "starling.audio.encoding": entry.audio.encoding,
            "starling.language": entry.config.language,
            "starling.takeover": True,
        }
    )
    span.event("adopted")
    return span


def ended(span: ActiveSpan, *, heard: float, failure: StarlingError | None) -> None:
    """The session is over. ``heard``: seconds of audio that came here."""
    span.set({"starling.audio_seconds": heard})
    span.end(error="" if failure is None else failure.code)
