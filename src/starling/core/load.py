"""How much a recognizer has to do, as it measured it, and what it does about it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Priority(StrEnum):
    """Whose partial results give way first when there is too much to do: those of the lowest. Finals are everybody's."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class Rung(IntEnum):
    """The ladder of degradation, the mildest first. A recognizer on one rung also does what the rungs before it do."""

    NORMAL = 0
    STRETCHED = 1
    """Partials come less often than their sessions asked for, those of low priority first."""
    FINALS_ONLY_LOW = 2
    """Sessions of low priority get finals only."""
    REFUSING = 3
    """New sessions go elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one recognizer says of itself.

    Computing is measured in seconds per second, of which a recognizer has 1 to give. ``sessions``: open ones. ``demand``: what
    they ask for at their full cadence, as measured. ``each``: what one more session is expected to cost, with partials half as
    often as it asks. ``room``: what is left for more once each session that talks, or has just come, gets ``each``; below 0 where
    that is too much already. ``retry_after``: seconds after which one that it refuses may try again. ``at``: when this was said,
    on the clock of its host.
    """

    sessions: int
    demand: float
    room: float
    each: float
    rung: Rung
    retry_after: float
    at: float

    @property
    def places(self) -> int:
        """How many more sessions it would serve."""
        if self.rung is Rung.REFUSING:
            return 0
        return max(0, math.floor(self.room / self.each + 1e-6))
