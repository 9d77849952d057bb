"""How much of the cores others take: whoever else runs on them, and a quota that keeps us from running. Pure.

The kernel counts for each thread how long it ran and how long it waited for a core though it had work. While one of our threads
waits, its core is with another one of ours or with somebody else; the first cannot be longer than our others ran. What is more
than that was taken from us.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, Protocol, TypeAlias

MEMORY: Final = 6.0
"""Seconds after which what was seen counts for 1/e."""

MOST: Final = 0.5
"""The largest share that counts, which is what one other takes who wants to run all the time. Where more is lost for a moment, as
when a host starts, a server must not send everybody away; where it is lost for long, finals are late, and that shuts the door."""


Turns: TypeAlias = Mapping[int, tuple[float, float]]
"""Of threads, by their numbers: seconds that each ran, and that it waited to run, since it began."""


class RunQueue(Protocol):
    """What the kernel says of the threads of this process. Nothing, where it says nothing."""

    def threads(self) -> Turns:
        """Of all of them."""

    def waited(self) -> float:
        """Seconds that the calling thread has waited to run since it began."""


class Unwatched:
    """RunQueue where nobody looks: of a scheduler on virtual time."""

    def threads(self) -> Turns:
        return {}

    def waited(self) -> float:
        return 0.0


class Competition:
    """``lost``: the share of the time, 0 to ``MOST``, in which a thread of ours wanted to run, none of ours did there, and so
    others had the core. It is what we feel: who hardly computes is hardly hindered, and learns more as it computes more.
    """

    def __init__(self) -> None:
        self._at: float | None = None
        self._before: Turns = {}
        self._lost = 0.0

    @property
    def lost(self) -> float:
        return self._lost

    def look(self, now: float, threads: Turns) -> float:
        """``threads`` as they are at ``now``, in seconds; ``lost`` by then."""
        elapsed = 0.0 if self._at is None else now - self._at
        if elapsed > 0:
            share = min(taken(self._before, threads) / elapsed, MOST)
            self._lost += (share - self._lost) * (1 - math.exp(-elapsed / MEMORY))
        self._at, self._before = now, threads
        return self._lost


def taken(before: Turns, after: Turns) -> float:
    """Seconds that others took of what our threads wanted, at least. Threads that are new or gone meanwhile are left out."""
    turns = [(ran - before[one][0], waited - before[one][1]) for one, (ran, waited) in after.items() if one in before]
    ours = sum(ran for ran, _ in turns)
    return max(0.0, *(waited - (ours - ran) for ran, waited in turns)) if turns else 0.0
