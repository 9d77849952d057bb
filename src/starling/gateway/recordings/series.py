"""What the figures of the platform were in the last quarter of an hour, for charts. Pure, and bounded."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, fields
from typing import Final

STEP: Final = 5.0
"""Seconds between two points."""

LENGTH: Final = 180
"""Points: a quarter of an hour."""

SMOOTHED: Final = 3 * STEP
"""Seconds over which a point's rates are: a process that was too busy to answer once is in them all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One moment. ``at``: Unix seconds; None is what nobody knows, or nothing was measured of.

    ``cpu``: cores; ``memory``: resident bytes; ``recognizers`` that are ready, ``transcribers`` at work. Latencies are seconds,
    of what was measured in the minute before. Rates are seconds of sound a second; ``failures``: of processes and of jobs, and
    ``refusals``: of sessions and recordings, a minute.
    """

    at: float
    cpu: float
    memory: int
    sessions: int
    recognizers: int
    transcribers: int | None
    queued: int | None
    running: int | None
    live_audio: float
    recorded_audio: float
    final_p50: float | None
    final_p95: float | None
    final_p99: float | None
    partial_p95: float | None
    failures: float
    refusals: float


class Series:
    """The last LENGTH points, the oldest first."""

    def __init__(self) -> None:
        self._points: deque[Point] = deque(maxlen=LENGTH)

    def add(self, point: Point) -> None:
        """``point`` is later than those before, unless somebody set the host's clock back: then those are forgotten."""
        if self._points and point.at <= self._points[-1].at:
            self._points.clear()
        self._points.append(point)

    def columns(self, after: float = 0.0) -> dict[str, list[float | None]]:
        """By the name of the field, what the points later than ``after`` (Unix seconds) have, in order."""
        chosen = [point for point in self._points if point.at > after]
        return {column.name: [getattr(point, column.name) for point in chosen] for column in fields(Point)}
