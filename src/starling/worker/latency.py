"""How late a session's results are, measured from the audio that made them possible."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from starling.core.audio import seconds
from starling.core.ports import Clock
from starling.core.transcript import SegmentFailed, SessionEvent, SpeechEnded, SpeechStarted, Transcript
from starling.telemetry.metrics import Metrics


@dataclass(slots=True)
class Timeline:
    """When, on the clock, things happened to one segment.

    ``onset``: when its first sound came. ``decided``: when it was sure that it ended. ``start``, ``end``: positions of its
    speech. ``endpoint_wait``, ``cost``, ``latency``: seconds of silence before the end was sure, of the engine's time, and from
    then to the final. ``failed``: the code of the error of its decode, empty if there was none.
    """

    onset: float
    partial: float | None = None
    partials: int = 0
    decided: float = 0.0
    start: int = 0
    end: int = 0
    endpoint_wait: float = 0.0
    cost: float = 0.0
    latency: float = 0.0
    failed: str = ""


@dataclass(slots=True)
class Latency:
    """Observes one session's events as they are delivered.

    Arrival times are those the gateway stamped, so its clock must be this one: true on one host.
    """

    clock: Clock
    metrics: Metrics
    _told: float = 0.0
    _arrivals: deque[tuple[int, float]] = field(default_factory=deque)
    _segments: dict[int, Timeline] = field(default_factory=dict)

    def arrived(self, end: int, at: float) -> None:
        """Audio up to position ``end`` reached the gateway at time ``at``."""
        self._arrivals.append((end, at))

    def told(self) -> None:
        """The client asked for an end just now, and not silence."""
        self._told = self.clock.now()

    def committed(self, position: int) -> None:
        """No event will ask for what lies before ``position``."""
        while self._arrivals and self._arrivals[0][0] <= position:
            self._arrivals.popleft()

    def decoded(self, segment_id: int, cost: float) -> None:
        """The engine spent ``cost`` seconds on the segment."""
        timeline = self._segments.get(segment_id)
        if timeline is not None:
            timeline.cost += cost

    def delivered(self, event: SessionEvent) -> Timeline | None:
        """Observe ``event``, which is being published now. What became of its segment, for a final."""
        match event:
            case SpeechStarted():
                self._segments[event.segment_id] = Timeline(self._arrival(event.at + 1), start=event.at)
            case SpeechEnded():
                timeline = self._segments[event.segment_id]
                timeline.end = event.at
                timeline.decided = max(self._arrival(event.noticed), self._told)
                timeline.endpoint_wait = seconds(event.noticed - event.at)
                self.metrics.endpoint_wait.observe(timeline.endpoint_wait)
            case SegmentFailed():
                self._segments[event.segment_id].failed = event.code
            case Transcript(is_final=True):
                return self._final(event)
            case Transcript():
                self._partial(event)
        return None

    def _partial(self, event: Transcript) -> None:
        timeline, now = self._segments[event.segment_id], self.clock.now()
        if timeline.partial is None:
            self.metrics.first_partial_latency.observe(now - timeline.onset)
        else:
            self.metrics.partial_interval.observe(now - timeline.partial)
        timeline.partial = now
        timeline.partials += 1

    def _final(self, event: Transcript) -> Timeline:
        timeline = self._segments.pop(event.segment_id)
        timeline.latency = max(0.0, self.clock.now() - timeline.decided)
        self.metrics.final_latency.observe(timeline.latency)
        self.metrics.segments.labels(outcome="failed" if timeline.failed else "text" if event.text else "empty").inc()
        if timeline.end > timeline.start:
            self.metrics.real_time_factor.observe(timeline.cost / seconds(timeline.end - timeline.start))
        return timeline

    def _arrival(self, position: int) -> float:
        """When the audio up to ``position`` was there; now, where that is not known any more."""
        return next((at for end, at in self._arrivals if end >= position), self.clock.now())
