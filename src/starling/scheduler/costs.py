"""What decodes cost, learned while they run.

A decode takes something for itself and something per second of sound: a line, fitted by least squares in which an observation
weighs less with each that follows. A line known beforehand weighs as much as a few observations, so that the first ones do not
throw it about; and no single one counts for more than a few times what was expected, so that a hiccup is not a trend.
"""

from __future__ import annotations

from typing import Final

from starling.scheduler.job import Job, Kind

FORGET: Final = 0.98
"""Weight of an observation after the next one: some 50 count."""

PRIOR: Final = {Kind.PARTIAL: (0.005, 0.004), Kind.FINAL: (0.012, 0.012)}
"""Seconds per decode and per second of sound before anything is known: those of the embedded model on a present core."""

PRIOR_WEIGHT: Final = 4.0

OUTLIER: Final = 4.0
"""Times the expected at which an observation is cut off."""


class CostLine:
    """``y = a + b x`` with ``a, b >= 0``, from observations that fade, and from ``prior`` as ``(a, b)``, which does not."""

    def __init__(self, prior: tuple[float, float]) -> None:
        a, b = prior
        self._prior = [0.0] * 5
        for x in (1.0, 8.0):
            self._prior = [s + t for s, t in zip(self._prior, _sums(x, a + b * x, PRIOR_WEIGHT / 2), strict=True)]
        self._data = [0.0] * 5
        self._a, self._b = a, b

    def at(self, x: float) -> float:
        """The expected ``y``."""
        return self._a + self._b * x

    def observe(self, x: float, y: float) -> None:
        """Learn that ``x`` gave ``y``."""
        y = min(y, OUTLIER * self.at(x))
        self._data = [FORGET * s + t for s, t in zip(self._data, _sums(x, y, 1.0), strict=True)]
        n, sx, sy, sxx, sxy = (p + d for p, d in zip(self._prior, self._data, strict=True))
        b = (n * sxy - sx * sy) / max(n * sxx - sx * sx, 1e-9)
        a = (sy - b * sx) / n
        if b < 0:
            a, b = sy / n, 0.0
        elif a < 0:
            a, b = 0.0, sxy / sxx
        self._a, self._b = a, b


class Costs:
    """Seconds that decodes take."""

    def __init__(self) -> None:
        self._lines = {kind: CostLine(PRIOR[kind]) for kind in Kind}

    def of(self, kind: Kind, audio: float) -> float:
        """What one of an utterance of ``audio`` seconds is expected to take, in seconds."""
        return self._lines[kind].at(audio)

    def decoded(self, job: Job, cost: float) -> None:
        """``job`` took ``cost`` seconds, or that was its share of a batch."""
        self._lines[job.kind].observe(job.audio, cost)


def _sums(x: float, y: float, weight: float) -> list[float]:
    return [weight, weight * x, weight * y, weight * x * x, weight * x * y]
