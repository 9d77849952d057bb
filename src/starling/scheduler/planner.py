"""How much the engine can promise: learned costs and demand in, the ladder's rung, cadence and room for more sessions out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from starling.core.load import Load, Priority, Rung
from starling.scheduler.company import Company
from starling.scheduler.costs import Costs
from starling.scheduler.demand import Demand
from starling.scheduler.job import Job
from starling.scheduler.ladder import Plan, plan, promised

TIGHT, EASY = 1.0, 0.9
"""Shares of the capacity: when demand exceeds the first, sessions are refused, or those of low priority lose their partials,
until it falls below the second."""

LATE, PUNCTUAL = 1.0, 0.25
"""Seconds: sessions are refused when a final waits longer than the first, until none waits longer than the second."""

STEP: Final = 0.08
"""What a session is expected to cost moves when the estimate is off by more than this share of it: noise does not move it."""

SHORTEST_RETRY, LONGEST_RETRY = 1.0, 30.0
"""Seconds that a refused client is told to wait."""


class Planner:
    """Pure: the time is told. ``capacity``: the share of the engine's time that is planned for, where nobody else takes of it."""

    def __init__(self, capacity: float) -> None:
        self.costs = Costs()
        self.demand = Demand()
        self.company = Company()
        self.plan = plan(*self.demand.now, capacity)
        self._planned = self._capacity = capacity
        self._each = self._estimate()
        self._crowded = self._late = False
        self._counted = 0
        self._stays = 60.0  # seconds that sessions count, as far as they have come
        self._departed = 1.0

    def asked(self, job: Job, now: float) -> None:
        """A session asked for ``job``."""
        self.company.asked(job.session_id, now, hurried=job.due > now)
        self.demand.asked(job, self.costs.of(job.kind, job.audio), now)

    def ending(self, session_id: str) -> None:
        """A session takes no more sound. It counts until its last final is there."""
        self.demand.ending(session_id)

    def left(self, session_id: str) -> None:
        """A session is over. Unknown ones are ignored."""
        self.company.left(session_id)
        self.demand.left(session_id)

    def decoded(self, job: Job, cost: float) -> None:
        """``job`` took ``cost`` seconds, those left out in which others had the core."""
        self.costs.decoded(job, cost)

    def look(self, now: float, *, sessions: int, lateness: float, lost: float = 0.0) -> Load:
        """Plan anew. ``sessions`` are open; the final that waits longest has waited ``lateness``.

        ``lost``: the share of the time that others took of what we wanted, see Competition.
        """
        self._capacity = self._planned * (1 - lost)
        counted, talking = self.company.look(now)
        elapsed = self.demand.passed(now, talking)
        self._count(counted, elapsed)
        asked = self.demand.now
        low = self.plan.rung < Rung.FINALS_ONLY_LOW or self._tight(asked, EASY).rung < Rung.FINALS_ONLY_LOW
        self.plan = plan(*asked, self._capacity, low=low)
        estimate = self._estimate()
        if abs(estimate - self._each) > STEP * self._each:
            self._each = estimate
        room = self._capacity - counted * self._each
        self._crowded = self._tight(asked, EASY if self._crowded else TIGHT).beyond
        self._late = lateness > (PUNCTUAL if self._late else LATE)
        full = self._crowded or room < self._each - 1e-6
        refusing = full or self._late
        # Finals that are late, as they are while a recognizer takes over, are soon done: for these nobody has to leave.
        retry_after = SHORTEST_RETRY if self._late and not full else self._until_somebody_leaves(counted)
        return Load(
            sessions=sessions,
            demand=self.demand.total,
            room=room,
            each=self._each,
            rung=Rung.REFUSING if refusing else self.plan.rung,
            retry_after=retry_after,
            at=now,
        )

    @property
    def cadence(self) -> dict[str, float]:
        """Seconds between partials that are planned, by priority."""
        return {priority: self.demand.interval * factor for priority, factor in self.plan.stretch.items()}

    def _estimate(self) -> float:
        """What one session costs: at most everything, so that there is room for one."""
        return min(max(promised(*self.demand.of_one), 1e-6), self._capacity)

    def _until_somebody_leaves(self, counted: int) -> float:
        """Seconds, as far as sessions have told by now how long they stay."""
        return min(max(self._stays / self._departed / max(counted, 1), SHORTEST_RETRY), LONGEST_RETRY)

    def _tight(self, asked: tuple[float, Mapping[Priority, float]], share: float) -> Plan:
        return plan(*asked, share * self._capacity)

    def _count(self, counted: int, elapsed: float) -> None:
        """How long sessions count: their time over how many of them left or fell silent, the older the less."""
        fading = math.exp(-elapsed / 300.0)
        self._stays = self._stays * fading + counted * elapsed
        self._departed = max(self._departed * fading + max(0, self._counted - counted), 1e-3)
        self._counted = counted
