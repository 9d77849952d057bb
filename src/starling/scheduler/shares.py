"""Shares of the engine's time while there is too little of it, as a pure policy: start-time fair queueing (Goyal et al. 1996).

Each session has a mark, in seconds of the engine, that moves on by what it was served; the lowest is next. Whoever begins to wait
starts no further back than the one that was served last, so that nobody saves up time by being silent, nor owes any for what it
took while nobody else waited.
"""

from __future__ import annotations

from collections.abc import Collection


class Shares:
    """Of all who wait together, no two get engine time that differs by more than one job of each."""

    def __init__(self) -> None:
        self._marks: dict[str, float] = {}
        self._waiting: frozenset[str] = frozenset()
        self._reached = 0.0  # the mark of who was served last

    def wait(self, sessions: Collection[str]) -> None:
        """These are all who wait now."""
        for session_id in sessions:
            if session_id not in self._waiting:
                self._marks[session_id] = max(self._marks.get(session_id, 0.0), self._reached)
        self._waiting = frozenset(sessions)

    def of(self, session_id: str) -> float:
        """The mark of one that waits."""
        return self._marks[session_id]

    def take(self, session_id: str) -> None:
        """One that waits is served."""
        self._reached = max(self._reached, self._marks[session_id])

    def served(self, session_id: str, cost: float) -> None:
        """That took ``cost`` seconds. Of a session that was forgotten meanwhile nothing is kept."""
        if session_id in self._marks:
            self._marks[session_id] += cost

    def forget(self, session_id: str) -> None:
        """The session is over."""
        self._marks.pop(session_id, None)
        self._waiting -= {session_id}
