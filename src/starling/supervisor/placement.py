"""Which recognizer gets a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starling.core.load import Load, Rung

USUAL: Final = 0.05
"""Cores that a session is taken to need until anybody has measured one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One recognizer that takes sessions. ``sessions``: how many are its own now. ``load``: what it last said, or None.

    What it said may be older than its newest sessions: those take what it expects of one, or ``USUAL``.
    """

    worker: int
    sessions: int
    load: Load | None = None

    @property
    def room(self) -> float:
        """Cores left for more sessions."""
        if self.load is None:
            return 1 - USUAL * self.sessions
        return self.load.room - self.load.each * max(0, self.sessions - self.load.sessions)

    @property
    def refuses(self) -> bool:
        return self.load is not None and self.load.rung is Rung.REFUSING

    @property
    def has_room(self) -> bool:
        """It can serve one more as well as those that it has."""
        each = USUAL if self.load is None else self.load.each
        return not self.refuses and self.room > each - 1e-6


def place(candidates: list[Place]) -> int | None:
    """The worker that gets the next session, or None where there is none.

    One that does not refuse, of those the one with the most room, then with the fewest sessions. A session that was admitted
    is placed even where all refuse.
    """
    if not candidates:
        return None
    return min(candidates, key=lambda one: (one.refuses, -round(one.room, 2), one.sessions, one.worker)).worker
