"""How much a recognizer has to do, as it measured it, and what it does about it."""

from __future__ import annotations

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

    ``sessions``: open ones. ``demand``: seconds of computing per second that they ask for at their full cadence, as measured; its
    recognizer has 1 to give. ``limit``: how many sessions it would serve, estimated from what they cost. ``retry_after``: seconds
    after which one that it refuses may try again.
    """

    sessions: int
    demand: float
    rung: Rung
    limit: int
    retry_after: float
