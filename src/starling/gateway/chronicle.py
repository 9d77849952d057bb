"""What a session tells of itself at a gateway: to the log, to the metrics, and to whoever follows its trace."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Self

from starling.core.errors import StarlingError
from starling.core.records import EndReason
from starling.core.sessions import SessionEntry
from starling.gateway.listing import Identity
from starling.gateway.ports import Ports
from starling.protocols.verbs import OpenRequest
from starling.telemetry.logs import get_logger, log_context
from starling.telemetry.spans import ActiveSpan, SpanKind, SpanName, log_ids

log = get_logger(__name__)


class Chronicle:
    """Of one session. Its span is that of its whole life: who has the session last tells it, from its first moment on."""

    def __init__(self, identity: Identity, ports: Ports, *, began: float | None = None) -> None:
        """``began``: when the client came, in Unix seconds; now if None."""
        self._identity = identity
        self._metrics = ports.metrics
        self._span: ActiveSpan = ports.tracer.begin(identity.span, SpanName.SESSION, kind=SpanKind.SERVER, at=began)
        self._span.set({"starling.session.id": identity.session_id, "starling.tenant": identity.tenant})

    @classmethod
    def adopted(cls, entry: SessionEntry, ports: Ports) -> Self:
        """Of a session that another gateway began."""
        chronicle = cls(Identity.of(entry), ports, began=entry.opened)
        chronicle._span.set(
            {
                "starling.audio.encoding": entry.audio.encoding,
                "starling.language": entry.config.language,
                "starling.takeover": True,
            }
        )
        chronicle._span.event("adopted")
        return chronicle

    @property
    def ids(self) -> dict[str, str]:
        """What a line of the log has of the session besides its own id."""
        return {"trace_id": self._identity.trace_id, **log_ids(self._identity.span)}

    def context(self) -> AbstractContextManager[None]:
        """Within it every line of the log is of the session."""
        span_id = "" if self._identity.span is None else self._identity.span.span_id
        return log_context(session_id=self._identity.session_id, trace_id=self._identity.trace_id, span_id=span_id)

    def opened(self, request: OpenRequest, protocol: str) -> None:
        """Recognition knows of it."""
        self._metrics.sessions_opened.inc()
        self._metrics.sessions_by_protocol.labels(protocol=protocol).inc()
        self._span.set(
            {
                "starling.protocol": protocol,
                "starling.audio.encoding": request.audio.encoding,
                "starling.language": request.config.language,
            }
        )
        self._span.event("opened")
        log.info("session opened", encoding=request.audio.encoding, language=request.config.language, vad=request.config.vad)

    def stopped(self, error: StarlingError) -> None:
        """It takes no more audio, because of ``error``."""
        self._span.event("stopped", {"error.type": error.code})

    def detached(self, grace: float) -> None:
        """Its client is away; it is waited for, ``grace`` seconds long."""
        self._span.event("detached", {"starling.grace_seconds": grace})
        log.info("session detached", grace_seconds=grace)

    def resumed(self) -> None:
        """Its client is back."""
        self._span.event("resumed")
        log.info("session resumed")

    def ended(self, reason: EndReason, *, heard: float, failure: StarlingError | None) -> None:
        """No more audio comes. ``heard``: seconds of it that came here."""
        self._metrics.sessions_ended.labels(reason=reason).inc()
        self._span.set({"starling.end_reason": reason})
        log.info("session ended", reason=reason, code=None if failure is None else failure.code, audio_seconds=heard)

    def left(self) -> None:
        """Another gateway goes on with it, and tells its span."""
        self._span.abandon()

    def abandoned(self, reason: EndReason) -> None:
        """It ends without anybody having gone on with it here."""
        self._span.set({"starling.end_reason": reason})
        self._span.end(error="abandoned")

    def closed(self, *, heard: float, error: str) -> None:
        """It is over, by an error with the code ``error`` if there was one. Nothing is told of one that was left."""
        self._span.set({"starling.audio_seconds": heard})
        self._span.end(error=error)
