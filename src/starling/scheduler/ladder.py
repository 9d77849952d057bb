"""What gives way, and how far, when more is asked than the engine can do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starling.core.load import Priority, Rung

FARTHEST: Final = {Priority.HIGH: 1.0, Priority.NORMAL: 2.0, Priority.LOW: 4.0}
"""Times its interval at which a priority's partials come, before those of a lower priority are given up, and sessions refused."""

RARE: Final = 40.0
"""Times the interval at which partials are not worth planning."""


@dataclass(frozen=True, slots=True)
class Plan:
    """``stretch``: how many times its interval lies between a session's partials; infinite: it gets none.

    ``beyond``: even so, not everybody gets what ``FARTHEST`` promises.
    """

    stretch: Mapping[Priority, float]
    rung: Rung
    beyond: bool


def plan(defended: float, partials: Mapping[Priority, float], capacity: float, *, low: bool = True) -> Plan:
    """Spread over partials what defended decodes leave of ``capacity``. All in seconds per second.

    First each gets what ``FARTHEST`` promises; of the rest the highest takes what it lacks, then the next. Where that is too
    much, or ``low`` is false, the lowest gets nothing; then the normal take what the high leave, then the high what there is.
    """
    left = capacity - defended
    least = {priority: partials[priority] / FARTHEST[priority] for priority in Priority}
    spare = left - sum(least.values())
    given = dict(least)
    if spare >= 0 and low:
        for priority in Priority:  # the highest first
            more = min(spare, partials[priority] - least[priority])
            given[priority] += more
            spare -= more
        stretch = {priority: _ratio(partials[priority], given[priority]) for priority in Priority}
        stretched = any(factor > 1 for factor in stretch.values())
        return Plan(stretch, Rung.STRETCHED if stretched else Rung.NORMAL, beyond=False)
    high = min(partials[Priority.HIGH], max(left, 0.0))
    normal = min(partials[Priority.NORMAL], max(left - high, 0.0))
    stretch = {
        Priority.HIGH: _ratio(partials[Priority.HIGH], high),
        Priority.NORMAL: _ratio(partials[Priority.NORMAL], normal),
        Priority.LOW: math.inf,
    }
    return Plan(stretch, Rung.FINALS_ONLY_LOW, beyond=left < least[Priority.HIGH] + least[Priority.NORMAL])


def promised(defended: float, partials: float) -> float:
    """What one session of normal priority that usually asks this costs with what ``FARTHEST`` promises."""
    return defended + partials / FARTHEST[Priority.NORMAL]


def _ratio(asked: float, given: float) -> float:
    if asked <= 0:
        return 1.0
    factor = asked / given if given > 0 else math.inf
    return 1.0 if factor < 1 + 1e-6 else min(factor, RARE)
