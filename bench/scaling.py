"""What is a second recognizer worth? As many people to each, and what the busiest of them computes for it.

With one recognizer ``--streams`` people speak, with two twice as many. A recognizer has one core, so how many it can serve is one
over what each of its streams takes of that. Two that take for their streams what one takes for its own serve twice as many; what
they lose to an uneven division, to each other's caches and to what is done once per process is lost here too. The measure is CPU
and not time, so that it holds where the sessions and the gateway run on the same two cores, which must not be full meanwhile::

    python -m bench.scaling --streams 12 --seconds 30 --rounds 3 --json out.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Final

from bench.audio import pool, recordings
from bench.load import Load, run_step
from bench.machine import TICKS, as_text, describe, family
from bench.ramp import Step
from bench.server import own_server
from bench.streams import parser
from starling.cli.eventloop import run

WORKERS: Final = (1, 2)

AIM: Final = 1.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One step. ``cpu``: seconds of each recognizer, the busiest first. ``gateway``, ``generator``, ``others``: cores.

    ``partial``, ``final``: 95th percentiles of their latencies, in milliseconds, or None.
    """

    streams: int
    seconds: float
    cpu: tuple[float, ...]
    gateway: float
    generator: float
    others: float
    refused: int
    failed: int
    partial: float | None
    final: float | None

    @property
    def capacity(self) -> float:
        """Streams that there could be if the busiest recognizer had nothing else to do."""
        return self.streams * self.seconds / self.cpu[0]


def gain(one: Sequence[Run], two: Sequence[Run]) -> float:
    """Times as many streams with ``two`` as with ``one`` recognizer, by the medians of their rounds."""
    return median(each.capacity for each in two) / median(each.capacity for each in one)


async def measure(arguments: argparse.Namespace) -> int:
    """Print what came of it; 0 if nobody was refused and it is as much as was aimed for."""
    machine = await describe()
    print(as_text(machine), end="\n\n")
    load = Load(
        pool=pool(arguments.profile, recordings(arguments.data)), seconds=arguments.seconds, max_segment=arguments.max_segment
    )
    print("workers  streams  recognizers' CPU per stream  gateway  generator  others  P95 partial, final ms")
    runs: dict[int, list[Run]] = {workers: [] for workers in WORKERS}
    for _ in range(arguments.rounds):
        for workers in WORKERS:
            one = await step(workers, load, arguments)
            runs[workers].append(one)
            print(row(workers, one), flush=True)
    worth = gain(*runs.values())
    print(f"\nby the busiest recognizer, two serve {worth:.2f} times as many streams as one; the aim is {AIM}")
    if arguments.json:
        found = {"machine": asdict(machine), "profile": arguments.profile, "settings": arguments.set, "gain": worth}
        found["runs"] = {workers: [asdict(one) for one in several] for workers, several in runs.items()}
        arguments.json.write_text(json.dumps(found, indent=1))
    hurt = any(one.refused or one.failed for several in runs.values() for one in several)
    return 1 if hurt or worth < AIM else 0


async def step(workers: int, load: Load, arguments: argparse.Namespace) -> Run:
    """A server with so many recognizers, and so many times the streams of one. A short step before makes it warm."""
    streams = workers * arguments.streams
    async with own_server(settings=arguments.set, workers=workers) as server:
        await run_step(server.url, Load(pool=load.pool, seconds=arguments.warm), streams, server=server.pid)
        before = recognizers(server.pid)
        done = await run_step(server.url, load, streams, server=server.pid)
        after = recognizers(server.pid)
    return summary(done, load.seconds, {pid: after[pid] - before.get(pid, 0.0) for pid in after})


def summary(done: Step, seconds: float, cpu: Mapping[int, float]) -> Run:
    """``cpu``: seconds of each recognizer, by its process."""
    return Run(
        streams=done.streams,
        seconds=seconds,
        cpu=tuple(sorted(cpu.values(), reverse=True)),
        gateway=done.usage.roles.get("gateway", 0.0),
        generator=done.usage.generator,
        others=done.usage.others,
        refused=done.refused,
        failed=done.failed,
        partial=done.partial.p95,
        final=done.compute.p95,
    )


def recognizers(supervisor: int) -> dict[int, float]:
    """The processes that recognize, and the CPU seconds of each so far."""
    found = {}
    for pid in family(supervisor):
        if Path(f"/proc/{pid}/comm").read_text().startswith("worker-"):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            found[pid] = (int(fields[11]) + int(fields[12])) / TICKS
    return found


def row(workers: int, one: Run) -> str:
    """``one`` under the header; ``!`` where others used the machine."""
    each = workers * one.cpu[0] / one.seconds / one.streams
    return (
        f"{workers:7}  {one.streams:7}  busiest {each:.4f}, mean {sum(one.cpu) / one.seconds / one.streams:.4f}  "
        f"{one.gateway:14.2f}  {one.generator:9.2f}  {one.others:5.2f}{'!' if one.others > 0.1 else ' '}  "
        f"{one.partial}, {one.final}"
        + (f"  REFUSED {one.refused}" if one.refused else "")
        + (f"  FAILED {one.failed}" if one.failed else "")
    )


def main() -> None:
    """The command line."""
    arguments = parser(__doc__)
    arguments.add_argument("--streams", type=int, default=12, help="for each recognizer (default: 12)")
    arguments.add_argument("--rounds", type=int, default=3, help="with one and with two in turn (default: 3)")
    arguments.add_argument("--warm", type=float, default=5.0, help="seconds of speech before what is measured (default: 5)")

    async def measured() -> None:
        raise SystemExit(await measure(arguments.parse_args()))

    run(measured())


if __name__ == "__main__":
    main()
