"""What open sessions ask of the engine, whether they get it or not: now, and as a habit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
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


FAINT: Final = 1e-9
"""Seconds per second that are nothing."""


@dataclass(slots=True)
class _Asked:
    """What one session asks, in seconds per second. ``partials``: those of ``priority``, its own.

    ``due``, ``at``: of what it last asked.
    """

    due: float
    at: float
    defended: float = 0.0
    partials: float = 0.0
    priority: Priority = Priority.NORMAL

    def caught_up(self, due: float, now: float) -> float:
        """By how many seconds more its sound has gone on than time has, since it last asked."""
        ahead = (due - self.due) - (now - self.at)
        self.due, self.at = due, now
        return ahead if 0 < ahead < math.inf else 0.0

    def fade(self, fading: float) -> None:
        """What was asked before counts for a share of ``fading``."""
        self.defended *= fading
        self.partials *= fading


class Demand:
    """Sums of expected cost, by session. Defended decodes are finals and each segment's first partial; the others are partials.

    Seconds are those of sound where it goes on faster than time. Whose recognizer failed is heard again from the last checkpoint
    on, and asks within a moment what took it many seconds the first time: that is what an outage leaves behind, and no demand.

    What clients ask that are ahead of their time is in none of them: they take what is left. Nor is what a session asked that is
    about to end: it will not ask again, so its last finals are a debt, which the queue has, and no demand.
    """

    def __init__(self) -> None:
        self.interval = 0.3
        self._asked: dict[str, _Asked] = {}
        self._ending: set[str] = set()
        self._habit = [HABIT_PRIOR[2] * rate for rate in (*HABIT_PRIOR[:2], 1.0)]
        self._at: float | None = None

    def asked(self, job: Job, cost: float, now: float) -> None:
        """A session asked for ``job``, which is expected to take ``cost`` seconds."""
        if job.due > now:
            return
        defended = job.kind is Kind.FINAL or (job.first and job.priority is not Priority.LOW)
        self._habit[0 if defended else 1] += cost
        if not defended:
            self.interval += (job.interval - self.interval) / 64
        if job.session_id in self._ending:
            return
        asked = self._asked.setdefault(job.session_id, _Asked(job.due, now))
        if caught_up := asked.caught_up(job.due, now):
            asked.fade(math.exp(-caught_up / MEMORY))
            self._habit[2] += caught_up
        asked.priority = job.priority
        if defended:
            asked.defended += cost / MEMORY
        else:
            asked.partials += cost / MEMORY

    def ending(self, session_id: str) -> None:
        """A session takes no more sound: what it still asks for is the last."""
        self._asked.pop(session_id, None)
        self._ending.add(session_id)

    def left(self, session_id: str) -> None:
        """A session is over. Unknown ones are ignored."""
        self._asked.pop(session_id, None)
        self._ending.discard(session_id)

    def passed(self, now: float, talking: int) -> float:
        """Time has passed until ``now``, with ``talking`` sessions that ask, in their time. Says how much, in seconds."""
        elapsed = 0.0 if self._at is None else now - self._at
        self._at = now
        fading = math.exp(-elapsed / MEMORY)
        for asked in self._asked.values():
            asked.fade(fading)
        self._asked = {session_id: asked for session_id, asked in self._asked.items() if asked.defended + asked.partials > FAINT}
        of_habit = math.exp(-elapsed * talking / HABIT)
        self._habit = [old * of_habit for old in self._habit]
        self._habit[2] += elapsed * talking
        return elapsed

    @property
    def total(self) -> float:
        """Seconds per second, of everybody at full cadence."""
        defended, partials = self.now
        return defended + sum(partials.values())

    @property
    def now(self) -> tuple[float, Mapping[Priority, float]]:
        """Seconds per second: of defended decodes, and of partials by priority."""
        partials = dict.fromkeys(Priority, 0.0)
        for asked in self._asked.values():
            partials[asked.priority] += asked.partials
        return sum(asked.defended for asked in self._asked.values()), partials

    @property
    def of_one(self) -> tuple[float, float]:
        """Seconds per second that one session usually asks while it talks: for defended decodes, and for partials."""
        defended, partials, total = self._habit
        return defended / total, partials / total
