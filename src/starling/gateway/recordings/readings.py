"""What the metrics of all processes say about now: rates, and quantiles of what was measured lately. Pure."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

WINDOW: Final = 60.0
"""Seconds over which rates and quantiles are."""

APART: Final = 1.0
"""Seconds between two readings at least."""

PROCESS: Final = "process"
"""The label that ``telemetry.exposition`` gives each sample."""


@dataclass(frozen=True, slots=True)
class Reading:
    """``totals``: sums over all processes and labels, by the sample's name. ``buckets``: of histograms, by name and upper bound.

    ``by_process``: the same as ``totals`` of each process; ``by_label``: of counters, by their first label that is no process.
    """

    at: float
    totals: Mapping[str, float]
    buckets: Mapping[str, Mapping[float, float]]
    by_process: Mapping[str, Mapping[str, float]]
    by_label: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def read(page: str, at: float) -> Reading:
    """``page`` in Prometheus's text format, as it was at ``at``."""
    totals: dict[str, float] = defaultdict(float)
    buckets: dict[str, dict[float, float]] = defaultdict(lambda: defaultdict(float))
    by_process: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    by_label: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if math.isnan(sample.value):
                continue
            labels = dict(sample.labels)
            process = labels.pop(PROCESS, "server")
            if sample.name.endswith("_bucket"):
                buckets[family.name][float(labels["le"])] += sample.value
                continue
            totals[sample.name] += sample.value
            by_process[process][sample.name] += sample.value
            if labels:
                by_label[sample.name][next(iter(labels.values()))] += sample.value
    return Reading(at, totals, buckets, by_process, by_label)


class Readings:
    """The last of them, one each second at most."""

    def __init__(self) -> None:
        self._kept: deque[Reading] = deque()

    def due(self, now: float) -> bool:
        """Whether there is none that is new enough."""
        return not self._kept or now - self._kept[-1].at >= APART

    def add(self, reading: Reading) -> None:
        """Keep ``reading``, and forget what is older than the window."""
        self._kept.append(reading)
        while len(self._kept) > 2 and self._kept[1].at <= reading.at - WINDOW:  # noqa: PLR2004 - first and last
            self._kept.popleft()

    @property
    def last(self) -> Reading:
        """The newest one."""
        return self._kept[-1]

    @property
    def span(self) -> float:
        """Seconds between the oldest and the newest."""
        return self._kept[-1].at - self._kept[0].at

    def rate(self, name: str) -> float:
        """What counter ``name`` gained a second."""
        return self._gained(self._kept[0].totals.get(name, 0.0), self.last.totals.get(name, 0.0))

    def process_rate(self, process: str, name: str) -> float:
        """The same, of one process."""
        first = self._kept[0].by_process.get(process, {}).get(name)
        return 0.0 if first is None else self._gained(first, self.last.by_process.get(process, {}).get(name, 0.0))

    def quantile(self, name: str, part: float) -> float | None:
        """Of what histogram ``name`` measured in the window, or ever if there is one reading: as Prometheus interpolates it."""
        before = self._kept[0].buckets.get(name, {}) if self.span > 0 else {}
        now = self.last.buckets.get(name, {})
        counts = sorted((bound, max(0.0, count - before.get(bound, 0.0))) for bound, count in now.items())
        total = counts[-1][1] if counts else 0.0
        if total <= 0:
            return None
        rank, low, below = part * total, 0.0, 0.0
        for bound, count in counts:
            if count >= rank:
                if math.isinf(bound):
                    return low
                return low + (bound - low) * (rank - below) / (count - below) if count > below else bound
            low, below = bound, count
        return low

    def _gained(self, first: float, last: float) -> float:
        """A process that was replaced counts from 0 again."""
        return max(0.0, last - first) / self.span if self.span > 0 else 0.0
