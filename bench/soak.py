"""Does memory stay flat? People come and go for a long time, and the server's resident memory is written down.

::

    python -m bench.soak --minutes 30 --streams 8 --json out.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from dataclasses import asdict, dataclass, field, replace
from itertools import count

import numpy as np

from bench.audio import pool, recordings
from bench.load import Heard, Load, speak
from bench.machine import as_text, describe, memory_by_role, pinned
from bench.server import Server, own_server
from bench.streams import cores, parser
from starling.cli.eventloop import run

SHORTEST = 3.0
"""Seconds of the shortest session; lengths are drawn evenly between it and ``--seconds``."""

LOOK = 10.0
"""Seconds between two looks at the memory."""

SETTLING = 0.2
"""Share of the time after which memory is expected not to grow any more: graphs and buffers have met their largest audio."""


@dataclass(slots=True)
class Soak:
    """What came of it. ``memory``: pairs of seconds and MiB; ``roles``: its parts at the same times."""

    memory: list[tuple[float, float]]
    sessions: int = 0
    roles: dict[str, list[float]] = field(default_factory=dict)

    def growth(self, total: float) -> float:
        """Percent from the first to the last quarter of what follows ``SETTLING``, each by its median."""
        settled = [size for at, size in self.memory if at >= SETTLING * total]
        quarter = max(1, len(settled) // 4)
        before, after = np.median(settled[:quarter]), np.median(settled[-quarter:])
        return float(100 * (after / before - 1))


async def measure(arguments: argparse.Namespace) -> None:
    """Soak an own server, print as it goes, write what was asked for."""
    machine = await describe()
    print(as_text(machine), end="\n\n")
    others = cores()[1:]
    load = Load(
        pool=pool(arguments.profile, recordings(arguments.data)), seconds=arguments.seconds, max_segment=arguments.max_segment
    )
    total = 60 * arguments.minutes
    async with own_server(settings=arguments.set, workers=arguments.workers, apart=others) as server:
        with pinned(others):
            found, heard = await soak(server, load, arguments.streams, total)
    growth = found.growth(total)
    print(f"{found.sessions} sessions, {heard.failed} failed, {heard.refused} refused; memory grew by {growth:.2f} %")
    if arguments.json:
        result = {"machine": asdict(machine), "streams": arguments.streams, "growth_percent": growth, **asdict(found)}
        arguments.json.write_text(json.dumps(result, indent=1))


async def soak(server: Server, load: Load, streams: int, total: float) -> tuple[Soak, Heard]:
    """Keep ``streams`` places taken for ``total`` seconds, each by one short session after the other."""
    found, heard, numbers = Soak([]), Heard(), count()
    began = time.monotonic()

    async def place() -> None:
        while time.monotonic() - began < total:
            number = next(numbers)
            length = float(np.random.default_rng([7, number]).uniform(SHORTEST, load.seconds))
            await speak(server.url, replace(load, seconds=length), number, time.monotonic(), heard)
            found.sessions += 1

    async with asyncio.TaskGroup() as places:
        for _ in range(streams):
            places.create_task(place())
        while (at := time.monotonic() - began) < total:
            roles = memory_by_role(server.pid)
            found.memory.append((at, sum(roles.values())))
            for role, size in roles.items():
                found.roles.setdefault(role, []).append(size)
            by_role = "  ".join(f"{role} {size:.1f}" for role, size in sorted(roles.items()))
            print(f"{at:6.0f} s  {found.memory[-1][1]:6.1f} MB  {found.sessions} sessions over  {by_role}", flush=True)
            await asyncio.sleep(LOOK)
    return found, heard


def main() -> None:
    """The command line."""
    arguments = parser(__doc__)
    arguments.add_argument("--minutes", type=float, default=30.0, help="how long (default: 30)")
    arguments.add_argument("--workers", type=int, default=1, help="recognizers; 0: everything in one process (default: 1)")
    arguments.add_argument("--streams", type=int, default=8, help="sessions at once (default: 8)")
    run(measure(arguments.parse_args()))


if __name__ == "__main__":
    main()
