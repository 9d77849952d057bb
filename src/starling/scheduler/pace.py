"""When a client would have spoken what it sent, had it sent it in real time.

A virtual clock in the manner of ATM's generic cell rate algorithm (ITU-T I.371): position ``p`` is due at ``origin + p``, and the
origin moves later when audio comes later than that. Other than there, it also moves back: it is where the latest arrival of the
last ``WINDOW`` seconds puts it. So a client that was cut off and caught up is in time again soon, while one that sends faster
than speech stays ahead for as long as it does.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from starling.core.audio import seconds

WINDOW: Final = 8.0
"""Seconds after which a late arrival begins to be forgotten; at twice that it is."""

TOLERANCE: Final = 2.0
"""Seconds of sound that anybody may be ahead and count as in time: networks hold audio back and let it go at once."""


class Pace:
    """The pace of one session."""

    def __init__(self) -> None:
        self._origins: deque[tuple[int, float]] = deque()  # up to which position, and the origin that holds there
        self._since = float("-inf")
        self._recent = self._before = float("-inf")

    def arrived(self, end: int, at: float) -> None:
        """Audio up to position ``end`` reached us at time ``at``, in seconds."""
        elapsed = at - self._since
        if elapsed >= WINDOW:
            self._before = self._recent if elapsed < 2 * WINDOW else float("-inf")
            self._recent = float("-inf")
            self._since = at
        self._recent = max(self._recent, at - seconds(end))
        origin = max(self._recent, self._before)
        if self._origins and self._origins[-1][1] == origin:
            self._origins.pop()
        self._origins.append((end, origin))

    def due(self, position: int) -> float:
        """The time from which it counts as late that ``position`` is not recognized. Of what did not arrive: long ago."""
        origin = next((origin for end, origin in self._origins if end >= position), None)
        return float("-inf") if origin is None else origin + seconds(position) - TOLERANCE

    def ahead(self, now: float) -> bool:
        """Whether audio is here that would not be spoken yet at time ``now``."""
        if not self._origins:
            return False
        end, origin = self._origins[-1]
        return origin + seconds(end) - TOLERANCE > now

    def committed(self, position: int) -> None:
        """Nobody will ask for what lies before ``position``."""
        while self._origins and self._origins[0][0] <= position:
            self._origins.popleft()
