"""How many streams hold: which number to try next, and what holding means."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from bench.latency import Latencies, Spread, spread
from bench.machine import Usage

LATE = 500
"""Milliseconds that partials and finals may take, at the 95th percentile."""

SPARSE = 0.5
"""Partials may get rarer under load down to this share of what one stream alone gets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What ``streams`` sessions met that spoke for ``seconds`` each.

    ``partial_rate``: partials per second and session. ``lateness``: of chunks leaving the generator. ``memory_mb``: resident, of
    the server, at the end; ``memory``: the same by role. ``refused``, ``failed``: sessions. Latencies are those of
    ``latency.Latencies``.
    """

    streams: int
    seconds: float
    first: Spread
    partial: Spread
    gap: Spread
    compute: Spread
    settled: Spread
    wait: Spread
    lateness: Spread
    partial_rate: float
    words: int
    refused: int
    failed: int
    memory_mb: float
    memory: dict[str, float]
    usage: Usage

    @property
    def cpu_per_stream(self) -> float:
        """Cores of the server."""
        return self.usage.server / self.streams


def summary(
    latencies: Latencies,
    *,
    streams: int,
    seconds: float,
    lateness: Sequence[float],
    refused: int,
    failed: int,
    memory: dict[str, float],
    usage: Usage,
) -> Step:
    """The step in which all sessions together met ``latencies``."""
    return Step(
        streams=streams,
        seconds=seconds,
        first=spread(latencies.first),
        partial=spread(latencies.partial),
        gap=spread(latencies.gap),
        compute=spread(latencies.compute),
        settled=spread(latencies.settled),
        wait=spread(latencies.waits),
        lateness=spread(lateness),
        partial_rate=len(latencies.partial) / seconds / streams,
        words=latencies.words,
        refused=refused,
        failed=failed,
        memory_mb=sum(memory.values()),
        memory=memory,
        usage=usage,
    )


def shortfall(step: Step, alone: Step) -> str | None:
    """What ``step`` does not hold, or None if all is well. ``alone``: the step of the fewest streams in the same run."""
    if step.refused or step.failed:
        return f"{step.refused} sessions refused, {step.failed} failed"
    for name, latency in (("partial", step.partial), ("final", step.compute)):
        if latency.p95 is None or latency.p95 > LATE:
            return f"{name} P95 {latency.p95} ms"
    if step.partial_rate < SPARSE * alone.partial_rate:
        return f"{step.partial_rate:.2f} partials per second instead of {alone.partial_rate:.2f}"
    return None


def search(first: int, ceiling: int) -> Generator[int, bool, int]:
    """Doubles from ``first`` until a number does not hold or ``ceiling`` does, then bisects to within a sixteenth.

    Yields a number of streams, is sent whether it held, and returns the greatest that did (0: none). A number that did not hold
    is tried once more: one bad moment of the machine is not a limit.
    """
    held, broke = 0, 0
    streams = first
    while True:
        if (yield streams) or (yield streams):
            held = streams
        else:
            broke = streams
        if broke and broke - held <= max(1, held // 16):
            return held
        if not broke and held >= ceiling:
            return held
        streams = (held + broke) // 2 if broke else min(2 * held, ceiling)
