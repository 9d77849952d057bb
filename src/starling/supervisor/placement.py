"""Which recognizer gets a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starling.core.load import Load, Rung

USUAL: Final = 0.05
"""Cores that a session is taken to ask for until anybody has measured one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One recognizer that takes sessions. ``sessions``: how many are its own now. ``load``: what it last said, or None.

    What it said may be older than its newest sessions: those count as much as its others do, or as ``USUAL``.
    """

    worker: int
    sessions: int
    load: Load | None = None

    @property
    def demand(self) -> float:
        """Cores that its sessions ask for, the unmeasured ones estimated."""
        if self.load is None:
            return USUAL * self.sessions
        each = self.load.demand / self.load.sessions if self.load.sessions else USUAL
        return max(0.0, self.load.demand + each * (self.sessions - self.load.sessions))

    @property
    def refuses(self) -> bool:
        return self.load is not None and self.load.rung is Rung.REFUSING


def place(candidates: list[Place]) -> int | None:
    """The worker that gets the next session, or None where there is none.

    One that does not refuse, of those the one with the least demand, then with the fewest sessions. A session that was admitted
    is placed even where all refuse.
    """
    if not candidates:
        return None
    return min(candidates, key=lambda one: (one.refuses, round(one.demand, 2), one.sessions, one.worker)).worker
