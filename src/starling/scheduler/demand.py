"""What open sessions ask of the engine, whether they get it or not: now, and as a habit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from starling.core.load import Priority
from starling.scheduler.job import Job, Kind

MEMORY: Final = 6.0
"""Seconds after which what was asked counts for 1/e of the present demand."""

HABIT: Final = 1200.0
"""Seconds of sessions that talk after which what they asked counts for 1/e of the habit: a minute of twenty of them."""

HABIT_PRIOR: Final = (0.012, 0.04, 300.0)
"""Seconds per second of a session that talks, for its defended decodes and for its other partials before anything is known, and
how many seconds of sessions that knowledge weighs: those of the embedded model on a present core, and of a person who reads."""


@dataclass(slots=True)
class Demand:
    """Sums of expected cost. Defended decodes are finals and each segment's first partial; the others are partials.

    What clients ask that are ahead of their time is in none of them: they take what is left.
    """

    defended: float = 0.0
    partials: dict[Priority, float] = field(default_factory=lambda: dict.fromkeys(Priority, 0.0))
    interval: float = 0.3
    _habit: list[float] = field(default_factory=lambda: [HABIT_PRIOR[2] * rate for rate in (*HABIT_PRIOR[:2], 1.0)])
    _at: float | None = None

    def asked(self, job: Job, cost: float, now: float) -> None:
        """A session asked for ``job``, which is expected to take ``cost`` seconds."""
        if job.due > now:
            return
        if job.kind is Kind.FINAL or (job.first and job.priority is not Priority.LOW):
            self.defended += cost / MEMORY
            self._habit[0] += cost
        else:
            self.partials[job.priority] += cost / MEMORY
            self._habit[1] += cost
            self.interval += (job.interval - self.interval) / 64

    def passed(self, now: float, talking: int) -> float:
        """Time has passed until ``now``, with ``talking`` sessions that ask, in their time. Says how much, in seconds."""
        elapsed = 0.0 if self._at is None else now - self._at
        self._at = now
        fading = math.exp(-elapsed / MEMORY)
        self.defended *= fading
        for priority in self.partials:
            self.partials[priority] *= fading
        of_habit = math.exp(-elapsed * talking / HABIT)
        self._habit = [old * of_habit for old in self._habit]
        self._habit[2] += elapsed * talking
        return elapsed

    @property
    def total(self) -> float:
        """Seconds per second, of everybody at full cadence."""
        return self.defended + sum(self.partials.values())

    @property
    def now(self) -> tuple[float, Mapping[Priority, float]]:
        """Seconds per second: of defended decodes, and of partials by priority."""
        return self.defended, self.partials

    @property
    def of_one(self) -> tuple[float, float]:
        """Seconds per second that one session usually asks while it talks: for defended decodes, and for partials."""
        defended, partials, total = self._habit
        return defended / total, partials / total
