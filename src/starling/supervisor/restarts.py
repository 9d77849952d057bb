"""When a process that ended is started again."""

from __future__ import annotations

from collections.abc import Callable

from starling.core.backoff import jittered
from starling.supervisor.options import SupervisorOptions


class Restarts:
    """One seat's history of failures. Times are seconds of one clock.

    The first failure after a healthy time is repaired at once; each further one waits twice as long as the one before, between
    half of that and all of it (see ``core.backoff``). ``draw`` gives numbers from 0 to 1.

    Who waits is who will probably fail again. One that worked, if not for long, and that somebody else ended, will not.
    """

    def __init__(self, options: SupervisorOptions, draw: Callable[[], float]) -> None:
        self._options = options
        self._draw = draw
        self._failures = 0
        self._ready_at: float | None = None

    @property
    def failures(self) -> int:
        """In a row."""
        return self._failures

    def ready(self, now: float) -> None:
        """The process took up its work."""
        self._ready_at = now

    def failed(self, now: float, *, own_fault: bool = True) -> float:
        """The process ended, by its ``own_fault`` or somebody else's; how many seconds to wait before the next one starts."""
        healthy_after = self._options.healthy_after if own_fault else self._options.blameless_after
        if self._ready_at is not None and now - self._ready_at >= healthy_after:
            self._failures = 0
        self._ready_at = None
        self._failures += 1
        if self._failures == 1:
            return 0.0
        first, longest = self._options.first_delay, self._options.longest_delay
        return jittered(self._failures - 1, first=first, longest=longest, draw=self._draw())
