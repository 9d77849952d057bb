"""What the metrics of all processes say about now: rates, and quantiles of what was measured lately. Pure.

A process that is busy may be missing in a reading, and one that was replaced counts from 0 again. So what is counted is compared
with what the same process said before, and never a sum with a sum, which jumps when somebody comes back to it.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from prometheus_client.parser import text_string_to_metric_families

from starling.gateway.recordings.consumption import Consumption

WINDOW: Final = 60.0
"""Seconds over which rates and quantiles are, where nothing else is said."""

APART: Final = 1.0
"""Seconds between two readings at least."""

PROCESS: Final = "process"
"""The label that ``telemetry.exposition`` gives each sample."""

BOUND: Final = "le"

CPU: Final = "process_cpu_seconds_total"
RESIDENT: Final = "process_resident_memory_bytes"

NAMES: Final = (
    "process_cpu_seconds",
    "process_resident_memory_bytes",
    "starling_audio_in_seconds",
    "starling_callbacks",
    "starling_final_latency_seconds",
    "starling_first_partial_latency_seconds",
    "starling_job_attempts",
    "starling_job_audio_seconds",
    "starling_jobs_refused",
    "starling_jobs_submitted",
    "starling_process_failures",
    "starling_sessions_active",
    "starling_sessions_refused",
    "starling_uploads",
    "starling_words",
    "starling_workers_ready",
)
"""How the names begin of what is read. A page has ten times as much, and who serves captions has no time to look at it."""

Sample: TypeAlias = tuple[str, str]
"""A sample's name, and its first label that is no process, or the upper bound of a bucket; empty where it has none."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What each process said at ``at`` (monotonic seconds), and what all of them used, where that is known."""

    at: float
    said: Mapping[str, Mapping[Sample, float]]
    used: Consumption | None = None


def read(page: str, at: float, used: Consumption | None = None) -> Reading:
    """What ``page``, in Prometheus's text format, says of NAMES."""
    said: dict[str, dict[Sample, float]] = defaultdict(lambda: defaultdict(float))
    for family in text_string_to_metric_families(_wanted(page)):
        for sample in family.samples:
            if math.isnan(sample.value):
                continue
            labels = dict(sample.labels)
            process = labels.pop(PROCESS, "server")
            said[process][sample.name, labels.get(BOUND) or next(iter(labels.values()), "")] += sample.value
    return Reading(at, said, used)


def _wanted(page: str) -> str:
    lines = (line for line in page.splitlines() if line.removeprefix("# TYPE ").startswith(NAMES))
    return "".join(f"{line}\n" for line in lines)


class Readings:
    """Those of the last ``window`` seconds, one each second at most."""

    def __init__(self, window: float = WINDOW) -> None:
        self._window = window
        self._kept: deque[Reading] = deque()

    def due(self, now: float) -> bool:
        """Whether there is none that is new enough."""
        return not self._kept or now - self._kept[-1].at >= APART

    def add(self, reading: Reading) -> None:
        """Keep ``reading``, and forget what is older than the window."""
        self._kept.append(reading)
        while len(self._kept) > 2 and self._kept[1].at <= reading.at - self._window:  # noqa: PLR2004 - first and last
            self._kept.popleft()

    @property
    def span(self) -> float:
        """Seconds between the oldest and the newest."""
        return self._kept[-1].at - self._kept[0].at

    @property
    def processes(self) -> list[str]:
        """Who is in the newest."""
        return sorted(self._kept[-1].said)

    @property
    def cpu(self) -> float:
        """Cores in use, by all processes there are; where that is not known, by those that keep metrics."""
        first, last = (reading.used for reading in (self._kept[0], self._kept[-1]))
        if first is None or last is None or not self.span:
            return self.rate(CPU)
        return max(0.0, last.cpu - first.cpu) / self.span

    @property
    def memory(self) -> int:
        """Resident bytes of the same."""
        used = self._kept[-1].used
        return int(self.value(RESIDENT)) if used is None else used.memory

    def value(self, name: str, process: str | None = None) -> float:
        """Of gauge ``name`` now: of one process, or of all together."""
        return sum(
            value
            for who, said in self._kept[-1].said.items()
            if process in {None, who}
            for (found, _), value in said.items()
            if found == name
        )

    def counted(self, name: str) -> dict[str, float]:
        """What counter ``name`` has, by its first label, over all processes."""
        found: dict[str, float] = defaultdict(float)
        for said in self._kept[-1].said.values():
            for (one, label), value in said.items():
                if one == name:
                    found[label] += value
        return dict(found)

    def gained(self, name: str, process: str | None = None) -> dict[str, float]:
        """What counter ``name`` gained in the window, by its first label: of one process, or of all together."""
        gains: dict[str, float] = defaultdict(float)
        for first, last in self._ends(process):
            for (found, label), value in last.items():
                if found == name:
                    before = first.get((found, label), 0.0)
                    gains[label] += value - before if value >= before else value
        return dict(gains)

    def rate(self, name: str, process: str | None = None) -> float:
        """The same a second, all labels together."""
        return sum(self.gained(name, process).values()) / self.span if self.span > 0 else 0.0

    def quantile(self, name: str, part: float) -> float | None:
        """Of what histogram ``name`` measured in the window, or ever if there is one reading: as Prometheus interpolates it."""
        bucket = f"{name}_bucket"
        found = self.gained(bucket) if self.span > 0 else self.counted(bucket)
        counts = sorted((float(bound), count) for bound, count in found.items())
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

    def _ends(self, process: str | None) -> Iterator[tuple[Mapping[Sample, float], Mapping[Sample, float]]]:
        """What each process said first and last in the window."""
        first: dict[str, Mapping[Sample, float]] = {}
        last: dict[str, Mapping[Sample, float]] = {}
        for reading in self._kept:
            for who, said in reading.said.items():
                if process in {None, who}:
                    first.setdefault(who, said)
                    last[who] = said
        for who, said in last.items():
            yield first[who], said
