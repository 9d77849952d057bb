"""Spans on their way out: a bounded queue, and one thread that empties it. Who ends a span never waits for it.

The thread is begun by the first span, so a process that is copied before has none. What finds no room, and what a collector
does not take in time, is dropped and counted. That a collector does not answer is logged once, and once that it does again.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from random import SystemRandom
from time import monotonic
from typing import Final

from starling.core.backoff import jittered
from starling.telemetry.collector import Collector, NotTaken
from starling.telemetry.endpoint import CollectorOptions
from starling.telemetry.logs import get_logger
from starling.telemetry.metrics import Metrics
from starling.telemetry.otlp import rejected_by, request_of
from starling.telemetry.spans import Span

log = get_logger(__name__)

ROOM: Final = 4096
"""Spans that may wait."""

MOST: Final = 512
"""Spans of one message."""

GATHER: Final = 0.5
"""Seconds for which spans are gathered to go together: what a process that is killed has not said."""

FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 30.0
"""Seconds until a message that was not taken is sent again: twice as long each time, see ``core.backoff``."""

PATIENCE: Final = 120.0
"""Seconds after which it is dropped, for newer ones."""


class SpanExporter:
    """Takes spans from any thread. ``resource``: what they come from. Raises InvalidOption where the certificates are no good."""

    def __init__(self, options: CollectorOptions, resource: Mapping[str, str], metrics: Metrics) -> None:
        self._options = options
        self._collector = Collector(options)
        self._resource = resource
        self._metrics = metrics
        self._draw = SystemRandom().random
        self._waiting: deque[Span] = deque()
        self._lock = threading.Lock()
        self._change = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        self._until: float | None = None  # when it must have ended, on the monotonic clock
        self._failing = False
        self._lost = 0  # spans, since it fails

    @property
    def waiting(self) -> int:
        """Spans that have not been taken up to be sent."""
        return len(self._waiting)

    def export(self, span: Span) -> None:
        """Take ``span``, or drop it where there is no room. Returns at once, and raises nothing."""
        with self._lock:
            if len(self._waiting) >= ROOM or self._until is not None:
                self._drop(1)
                return
            self._waiting.append(span)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="spans", daemon=True)
                self._thread.start()
            elif len(self._waiting) in {1, MOST}:
                self._change.notify()

    def close(self, within: float) -> None:
        """Send what waits, for ``within`` seconds at most; the rest is dropped. Blocks. No span is taken any more."""
        with self._lock:
            self._until = monotonic() + within
            thread = self._thread
            self._change.notify()
        if thread is not None:
            thread.join(within)
        with self._lock:
            self._drop(len(self._waiting))
            self._waiting.clear()

    def _run(self) -> None:
        while batch := self._gather():
            try:
                self._send(batch)
            except Exception:
                self._drop(len(batch))
                log.exception("spans could not be sent")
        self._collector.close()

    def _gather(self) -> list[Span]:
        """What goes next; nothing once all is over."""
        with self._lock:
            while not self._waiting:
                if self._until is not None:
                    return []
                self._change.wait()
            if len(self._waiting) < MOST and self._until is None:
                self._change.wait(GATHER)
            return [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]

    def _send(self, batch: list[Span]) -> None:
        """Until it is taken, or never will be, or patience is at its end."""
        message = request_of(batch, self._resource)
        began, failures = monotonic(), 0
        while True:
            try:
                answer = self._collector.post(message)
            except NotTaken as error:
                self._failed(error.reason)
                if not error.again:
                    self._count("refused", len(batch))
                    return
                failures += 1
                wait = jittered(failures, first=FIRST_WAIT, longest=LONGEST_WAIT, draw=self._draw())
                pause = max(wait, error.wait)
                if monotonic() + pause > began + PATIENCE or not self._rest(pause):
                    self._drop(len(batch))
                    return
            else:
                refused = min(rejected_by(answer), len(batch))
                self._count("refused", refused)
                self._count("exported", len(batch) - refused)
                self._worked()
                return

    def _rest(self, pause: float) -> bool:
        """Wait before the next attempt. False where there is no time for one."""
        until = monotonic() + pause
        with self._lock:
            while (now := monotonic()) < until and self._until is None:
                self._change.wait(until - now)
            return self._until is None or monotonic() < self._until - pause

    def _failed(self, reason: str) -> None:
        if not self._failing:
            self._failing, self._lost = True, 0
            log.warning("spans not exported", collector=self._options.place, reason=reason)

    def _worked(self) -> None:
        if self._failing:
            self._failing = False
            log.info("spans exported again", collector=self._options.place, dropped=self._lost)

    def _drop(self, count: int) -> None:
        self._lost += count
        self._count("dropped", count)

    def _count(self, outcome: str, count: int) -> None:
        if count:
            self._metrics.spans.labels(outcome=outcome).inc(count)
