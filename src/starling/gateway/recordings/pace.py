"""How slowly a body may come: never silent for long, and not a byte at a time for ever (slow POST). Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """``idle``: seconds without a byte; ``rate``: bytes a second on average, once ``idle`` seconds have passed."""

    idle: float
    rate: float

    def deadline(self, began: float, last: float, received: int) -> float:
        """When to give up who began at ``began`` and sent the last of ``received`` bytes at ``last``, if nothing more comes."""
        return min(last + self.idle, began + self.idle + received / self.rate)
