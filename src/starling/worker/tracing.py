"""What a session on a recognizer tells whoever follows its trace: a span for each segment, and one for each takeover."""

from __future__ import annotations

from starling.core.audio import seconds
from starling.core.ports import Capabilities, Clock
from starling.core.records import Opened
from starling.core.transcript import Transcript
from starling.telemetry.spans import ActiveSpan, SpanName, Tracer, log_ids
from starling.worker.latency import Timeline


class SessionTracing:
    """Of one session. A recognizer that takes it over is behind at first: that is a span of its own, until it has caught up."""

    def __init__(self, opened: Opened, tracer: Tracer, clock: Clock, capabilities: Capabilities) -> None:
        self._opened = opened
        self._tracer = tracer
        self._clock = clock
        self._model = capabilities.model
        self._began = clock.now()
        self._takeover: ActiveSpan | None = None
        if opened.taken_over and opened.span is not None:
            self._takeover = tracer.below(opened.span, SpanName.TAKEOVER)
            position = seconds(opened.checkpoint.position)
            self._takeover.set({"starling.session.id": opened.session_id, "starling.position_seconds": position})

    @property
    def log_ids(self) -> dict[str, str]:
        """What a line of the log has of the session besides its own id."""
        return {"trace_id": self._opened.trace_id, **log_ids(self._opened.span)}

    def heard(self, arrived: float) -> None:
        """Audio that came at ``arrived``, on the clock, was taken off the log."""
        if self._takeover is not None and arrived >= self._began:
            self.over()

    def over(self) -> None:
        """There is nothing more to catch up with."""
        if self._takeover is not None:
            self._takeover.end()
            self._takeover = None

    def final(self, event: Transcript, timeline: Timeline) -> dict[str, str]:
        """The final of a segment goes out now. What the line of the log that says so has of its span."""
        if self._opened.span is None:
            return self.log_ids
        span = self._tracer.below(
            self._opened.span, SpanName.SEGMENT, at=self._tracer.now() - max(0.0, self._clock.now() - timeline.onset)
        )
        span.set(
            {
                "starling.session.id": event.session_id,
                "starling.segment.id": event.segment_id,
                "starling.position_seconds": seconds(event.start),
                "starling.audio_seconds": seconds(max(0, timeline.end - timeline.start)),
                "starling.compute_seconds": timeline.cost,
                "starling.endpoint_wait_seconds": timeline.endpoint_wait,
                "starling.latency_seconds": timeline.latency,
                "starling.word_count": len(event.text.split()),
                "starling.partial_count": timeline.partials,
                "starling.outcome": "failed" if timeline.failed else "text" if event.text else "empty",
                "starling.model": self._model,
                "starling.takeover": self._opened.taken_over,
            }
        )
        span.end(error=timeline.failed)
        return self.log_ids | log_ids(span.context)
