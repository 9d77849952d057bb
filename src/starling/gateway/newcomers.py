"""Who was admitted so recently that recognizers have not spoken of it yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HANDSHAKE: Final = 1.0
"""Seconds after its admission within which a client is expected to open its session. Later it counts again once it does."""

TRANSIT: Final = 0.1
"""Seconds from the opening of a session until its recognizer speaks of it at the earliest: it must be placed and read."""


@dataclass(slots=True, eq=False)
class Newcomer:
    """One who was admitted. ``until``: it counts against what recognizers said before then, and never after ``expires``."""

    until: float
    expires: float


class Newcomers:
    """So that a burst of clients does not find the same room twice. All times are those of the clock of ``Load.at``."""

    def __init__(self) -> None:
        self._newcomers: set[Newcomer] = set()

    def admitted(self, now: float) -> Newcomer:
        """Count one more."""
        newcomer = Newcomer(until=float("inf"), expires=now + HANDSHAKE)
        self._newcomers.add(newcomer)
        return newcomer

    def opened(self, newcomer: Newcomer, now: float) -> None:
        """Its session is on the log."""
        newcomer.until, newcomer.expires = now + TRANSIT, float("inf")
        self._newcomers.add(newcomer)

    def left(self, newcomer: Newcomer) -> None:
        """It does not come, or has gone."""
        self._newcomers.discard(newcomer)

    def count(self, said: float, now: float) -> int:
        """How many are in nothing that was said at ``said``. Who is in it is forgotten."""
        self._newcomers = {one for one in self._newcomers if one.until > said and one.expires > now}
        return len(self._newcomers)
