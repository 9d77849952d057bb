"""Who computes now, where more recordings were begun than may compute at once: what somebody waits for goes first.

Nobody is given up for another: who stands still keeps what it has in memory, and its lease. Among those that somebody waits for,
whoever computed least goes first, so a short one is soon done whatever came before it. Who stood still for PATIENCE has a TURN
all the same, so nobody stands still for ever, however many come that go before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

PATIENCE: Final = 10.0
"""Seconds that anybody stands still at most before it has a turn."""

TURN: Final = 2.0
"""Seconds of such a turn: at least a sixth of the time is left for those that nobody waits for."""

LOOK: Final = 1.0
"""Seconds between two decisions while there are more than may compute."""


@dataclass(slots=True, kw_only=True)
class _Member:
    urgent: bool
    computing: bool = False
    since: float  # when it began to compute, or to stand still
    computed: float = 0.0  # until ``since``
    turn_until: float = 0.0

    def spent(self, now: float) -> float:
        return self.computed + (now - self.since if self.computing else 0.0)


class Turns:
    """``places``: how many may compute at once. Pure; times are seconds of one clock."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._members: dict[int, _Member] = {}
        self._joined = 0

    @property
    def crowded(self) -> bool:
        """Whether somebody has to stand still."""
        return len(self._members) > self._places

    def join(self, now: float, *, urgent: bool) -> int:
        """Somebody new, who stands still until ``decide`` says otherwise: its number. ``urgent``: somebody waits for it."""
        self._joined += 1
        self._members[self._joined] = _Member(urgent=urgent, since=now)
        return self._joined

    def leave(self, number: int) -> None:
        """It has ended."""
        del self._members[number]

    def decide(self, now: float) -> frozenset[int]:
        """Who computes from now on."""
        for member in self._members.values():
            if not member.computing and now - member.since >= PATIENCE and member.turn_until <= now:
                member.turn_until = now + TURN
        chosen = frozenset(sorted(self._members, key=lambda number: self._rank(number, now))[: self._places])
        for number, member in self._members.items():
            if (number in chosen) is not member.computing:
                member.computed, member.since, member.computing = member.spent(now), now, number in chosen
        return chosen

    def _rank(self, number: int, now: float) -> tuple[bool, bool, float, int]:
        """The lowest goes first."""
        member = self._members[number]
        return member.turn_until <= now, not member.urgent, member.spent(now), number


class Pausable(Protocol):
    """A process that can stand still."""

    def pause(self) -> None:
        """Let it stand still."""

    def resume(self) -> None:
        """Let it go on."""


class TakingTurns:
    """Lets processes stand still and go on as ``Turns`` says. ``places``: None for any number; ``now``: seconds, monotonic."""

    def __init__(self, places: int | None, now: Callable[[], float]) -> None:
        self._turns = None if places is None else Turns(places)
        self._now = now
        self._there: dict[int, Pausable] = {}
        self._standing: set[int] = set()
        self._looking: asyncio.TimerHandle | None = None

    @contextmanager
    def taking(self, one: Pausable, *, urgent: bool) -> Iterator[None]:
        """``one``, which computes now, takes part while the block runs."""
        if self._turns is None:
            yield
            return
        number = self._turns.join(self._now(), urgent=urgent)
        self._there[number] = one
        self._look()
        try:
            yield
        finally:
            self._turns.leave(number)
            del self._there[number]
            self._standing.discard(number)
            self._look()

    def _look(self) -> None:
        assert self._turns is not None
        chosen = self._turns.decide(self._now())
        for number, one in self._there.items():
            if number in chosen and number in self._standing:
                self._standing.discard(number)
                one.resume()
            elif number not in chosen and number not in self._standing:
                self._standing.add(number)
                one.pause()
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        if self._turns.crowded:
            self._looking = asyncio.get_running_loop().call_later(LOOK, self._look)
