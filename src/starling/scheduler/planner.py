"""How much the engine can promise: learned costs and demand in, the ladder's rung, cadence and the limit of sessions out."""

from __future__ import annotations

import math
from typing import Final

from starling.core.load import Load, Rung
from starling.scheduler.costs import Costs
from starling.scheduler.demand import Demand
from starling.scheduler.job import Job
from starling.scheduler.ladder import Plan, plan, room

TIGHT, EASY = 1.0, 0.9
"""Shares of the capacity: sessions are refused when demand exceeds the first, until it falls below the second."""

LATE, PUNCTUAL = 1.0, 0.25
"""Seconds: sessions are refused when a final waits longer than the first, until none waits longer than the second."""

STEP: Final = 0.08
"""The limit of sessions moves when the estimate is off by more than this share of it: noise does not move it."""

SHORTEST_RETRY, LONGEST_RETRY = 1.0, 30.0
"""Seconds that a refused client is told to wait."""


class Planner:
    """Pure: the time is told. ``capacity``: the share of the engine's time that is planned for."""

    def __init__(self, capacity: float) -> None:
        self.costs = Costs()
        self.demand = Demand()
        self.plan = plan(*self.demand.now, capacity)
        self._capacity = capacity
        self._limit = math.floor(self._room())
        self._crowded = self._late = False
        self._sessions = 0
        self._stays = 60.0  # seconds that sessions last, as far as they have come
        self._departed = 1.0

    def asked(self, job: Job, now: float) -> None:
        """A session asked for ``job``."""
        self.demand.asked(job, self.costs.of(job.kind, job.audio), now)

    def decoded(self, job: Job, cost: float) -> None:
        """``job`` took ``cost`` seconds."""
        self.costs.decoded(job, cost)

    def look(self, now: float, *, sessions: int, ahead: int, lateness: float) -> Load:
        """Plan anew.

        ``sessions`` are open, of which ``ahead`` send faster than speech; the final that waits longest has waited ``lateness``.
        """
        elapsed = self.demand.passed(now, sessions - ahead)
        self._count(sessions, elapsed)
        self.plan = plan(*self.demand.now, self._capacity)
        estimate = self._room()
        if not (1 - STEP) * self._limit <= estimate <= (1 + STEP) * (self._limit + 1):
            self._limit = math.floor(estimate)
        self._crowded = self._tight(EASY if self._crowded else TIGHT).beyond
        self._late = lateness > (PUNCTUAL if self._late else LATE)
        return Load(
            sessions=sessions,
            demand=self.demand.total,
            rung=Rung.REFUSING if self.refusing else self.plan.rung,
            limit=self._limit,
            retry_after=min(max(self._stays / self._departed / max(sessions, 1), SHORTEST_RETRY), LONGEST_RETRY),
        )

    @property
    def refusing(self) -> bool:
        """Whether new sessions should go elsewhere."""
        return self._crowded or self._late or self._sessions >= self._limit

    @property
    def cadence(self) -> dict[str, float]:
        """Seconds between partials that are planned, by priority."""
        return {priority: self.demand.interval * factor for priority, factor in self.plan.stretch.items()}

    def _room(self) -> float:
        return max(1.0, room(*self.demand.of_one, self._capacity))

    def _tight(self, share: float) -> Plan:
        return plan(*self.demand.now, share * self._capacity)

    def _count(self, sessions: int, elapsed: float) -> None:
        """How long sessions last: their time over how many of them left, the older the less."""
        fading = math.exp(-elapsed / 300.0)
        self._stays = self._stays * fading + sessions * elapsed
        self._departed = max(self._departed * fading + max(0, self._sessions - sessions), 1e-3)
        self._sessions = sessions
