"""How long to wait before something that failed is tried again. Pure."""

from __future__ import annotations

from typing import Final

ENOUGH: Final = 60
"""Doublings after which every ``longest`` is reached; more would be no float any more."""


def backoff(failures: int, *, first: float, longest: float) -> float:
    """Seconds to wait after ``failures`` in a row (from 1): ``first``, twice as long each time, ``longest`` at most."""
    return min(longest, first * 2.0 ** min(failures - 1, ENOUGH))


def jittered(failures: int, *, first: float, longest: float, draw: float) -> float:
    """The same, between half of it and all of it by ``draw`` (0 to 1), that those who failed for one reason do not come back in
    step (Marc Brooker, "Exponential Backoff And Jitter", AWS 2015: equal jitter).
    """
    return backoff(failures, first=first, longest=longest) * (0.5 + 0.5 * draw)
