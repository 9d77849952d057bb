"""Does memory stay flat? People come and go for a long time, and the server's resident memory is written down.

::

    python -m bench.soak --minutes 30 --streams 8 --json out.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from dataclasses import asdict, dataclass, replace
from itertools import count

import numpy as np

from bench.audio import pool, recordings
from bench.load import Heard, Load, speak
from bench.machine import as_text, describe, pinned, resident_mb
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
    """What came of it. ``memory``: pairs of seconds and MiB."""

    memory: list[tuple[float, float]]
    sessions: int = 0

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
    core, *others = cores()
    load = Load(
        pool=pool(arguments.profile, recordings(arguments.data)), seconds=arguments.seconds, max_segment=arguments.max_segment
    )
    total = 60 * arguments.minutes
    async with own_server(settings=arguments.set, core=core) as server:
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
            found.memory.append((at, resident_mb(server.pid)))
            print(f"{at:6.0f} s  {found.memory[-1][1]:6.1f} MB  {found.sessions} sessions over", flush=True)
            await asyncio.sleep(LOOK)
    return found, heard


def main() -> None:
    """The command line."""
    arguments = parser(__doc__)
    arguments.add_argument("--minutes", type=float, default=30.0, help="how long (default: 30)")
    arguments.add_argument("--streams", type=int, default=8, help="sessions at once (default: 8)")
    run(measure(arguments.parse_args()))


if __name__ == "__main__":
    main()
