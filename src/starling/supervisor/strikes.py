"""Who is to blame when recognizers fail: sessions that were in hand twice, at the same place, lose their right to be replayed.

A strike belongs to a segment: it is forgotten once the session commits a later position. While a session has one it is a suspect,
and no call into a model is made for it and others together, so a second strike hits only whom it should.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Final, Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)

STRIKES: Final = 2
"""So many at one committed position, and a session is not given to any recognizer again."""


class Strikes(Generic[Name]):
    """Sessions by whatever names them. Bounded by the sessions that are open: ``commits`` are always those of all of them."""

    def __init__(self) -> None:
        self._strikes: dict[Name, tuple[int, int]] = {}  # position and count

    def struck(self, in_hand: Iterable[Name], commits: Mapping[Name, int]) -> list[Name]:
        """A recognizer failed by its own fault while it worked on ``in_hand``; those that are out.

        ``commits``: the committed position of each open session.
        """
        self.settle(commits)
        out = []
        for name in dict.fromkeys(in_hand):
            if name not in commits:
                continue
            _, before = self._strikes.get(name, (0, 0))
            self._strikes[name] = commits[name], before + 1
            if before + 1 >= STRIKES:
                out.append(name)
        return out

    def settle(self, commits: Mapping[Name, int]) -> None:
        """Forget the strikes of sessions that got further, or are over."""
        self._strikes = {
            name: (position, count) for name, (position, count) in self._strikes.items() if commits.get(name) == position
        }

    def suspects(self) -> list[Name]:
        """Sessions with a strike, the oldest first."""
        return list(self._strikes)
