"""What a transcriber is told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriberOptions:
    """``slots``: recordings that are worked on at once, each on a core of its own. ``express``: those that are begun besides, if
    somebody waits for them, and take turns with the others. ``max_duration``: seconds of one at most.

    ``lease``: seconds after which another transcriber takes a job whose own fell silent. ``poll``: seconds between two looks for
    a job while there is none. ``first_delay``, ``longest_delay``: seconds before a failed attempt is repeated, doubled each time.
    """

    slots: int = 1
    express: int = 2
    max_duration: float = 43_200.0
    lease: float = 30.0
    poll: float = 0.5
    first_delay: float = 10.0
    longest_delay: float = 600.0

    @property
    def beat(self) -> float:
        """Seconds between two signs of life: they also tell progress, and that nobody wants the job any more."""
        return min(2.0, self.lease / 4)
