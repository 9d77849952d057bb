"""How many people at once: sessions that speak in real time, more and more of them, until captions are late.

python -m bench.streams --profile read --seconds 30 --pin --json out.json --svg out.svg
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path

from bench.audio import Profile, pool, recordings
from bench.chart import line_chart
from bench.latency import Spread
from bench.load import Load, run_step
from bench.machine import Machine, as_text, describe, pinned
from bench.ramp import LATE, Step, search, shortfall
from bench.server import Server, own_server
from starling.cli.eventloop import run

HEADER = (
    "streams  first p50/95   partial p50/95/99   gap p50   compute p50/95/99   settled p50/95   "
    "CPU/stream  generator  others  memory"
)

REST = 5.0
"""Seconds before a step: the sessions of the one before all end at once, and their finals are worked off first."""

RATED = 0.8
"""Share of the limit at which a server would be run."""


async def measure(arguments: argparse.Namespace) -> None:
    """Ramp, print as it goes, write what was asked for."""
    machine = await describe()
    print(as_text(machine), end="\n\n")
    servers = max(1, arguments.workers)
    own_cores = cores(servers)[servers:] if arguments.pin or arguments.apart else sorted(os.sched_getaffinity(0))
    load = Load(
        pool=pool(arguments.profile, recordings(arguments.data)),
        seconds=arguments.seconds,
        partial_interval=arguments.interval,
        max_segment=arguments.max_segment,
    )
    print(f"profile {arguments.profile}, {load.seconds:g} s a step\n{HEADER}")
    where: AbstractAsyncContextManager[Server] = (
        nullcontext(Server(arguments.url, arguments.pid or 0))
        if arguments.url
        else own_server(
            settings=arguments.set,
            workers=arguments.workers,
            core=cores(servers)[:servers] if arguments.pin and not arguments.apart else None,
            apart=own_cores if arguments.apart else (),
        )
    )
    async with where as server:
        with pinned(own_cores):
            steps, limit = await ramp(server, load, arguments)
            rated = await measured_step(server, load, max(1, int(RATED * limit)))
    print(f"\nholds {limit} streams of {arguments.profile}; the last line is at {RATED:.0%} of that")
    report(arguments, machine, steps, limit, rated)


async def ramp(server: Server, load: Load, arguments: argparse.Namespace) -> tuple[list[Step], int]:
    """All steps in the order they were made, and the most streams that held."""
    steps: list[Step] = []
    if arguments.streams:
        steps = [await measured_step(server, load, streams) for streams in arguments.streams]
        return steps, max((step.streams for step in steps if shortfall(step, steps[0]) is None), default=0)
    numbers = search(1, arguments.ceiling)
    streams = next(numbers)
    while True:
        step = await measured_step(server, load, streams)
        steps.append(step)
        try:
            streams = numbers.send(shortfall(step, steps[0]) is None)
        except StopIteration as found:
            return steps, found.value


async def measured_step(server: Server, load: Load, streams: int) -> Step:
    """One step, printed."""
    await asyncio.sleep(REST)
    step = await run_step(server.url, load, streams, server=server.pid or None)
    print(row(step), flush=True)
    return step


def row(step: Step) -> str:
    """``step`` under ``HEADER``; ``!`` stands where the generator was the bottleneck or others used the machine."""
    usage = step.usage
    return (
        f"{step.streams:7}  {_ms(step.first, 2):13}  {_ms(step.partial, 3):18}  {_ms(step.gap, 1):8}  {_ms(step.compute, 3):18}  "
        f"{_ms(step.settled, 2):15}  {step.cpu_per_stream:10.4f}  {usage.generator:8.2f}{'!' if usage.generator > 0.8 else ' '}  "
        f"{usage.others:5.2f}{'!' if usage.others > 0.1 else ' '}  {step.memory_mb:4.0f} MB"
        + "".join(f"  {role} {used:.2f}" for role, used in sorted(usage.roles.items()) if len(usage.roles) > 1)
        + (f"  REFUSED {step.refused}" if step.refused else "")
        + (f"  FAILED {step.failed}" if step.failed else "")
    )


def cores(servers: int = 1) -> list[int]:
    """The cores there are: the first ``servers`` are the server's, the others the sessions'. Raises SystemExit for too few."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) <= servers:
        raise SystemExit(f"this needs {servers + 1} cores: {servers} for the server, one for the sessions")
    return available


def report(arguments: argparse.Namespace, machine: Machine, steps: Sequence[Step], limit: int, rated: Step) -> None:
    """Write the files that were asked for."""
    if arguments.json:
        arguments.json.write_text(
            json.dumps(
                {
                    "machine": asdict(machine),
                    "profile": arguments.profile,
                    "partial_interval": arguments.interval,
                    "settings": arguments.set,
                    "pinned": arguments.pin or arguments.apart,
                    "apart": arguments.apart,
                    "workers": arguments.workers,
                    "limit": limit,
                    "rated": asdict(rated),
                    "steps": [asdict(step) for step in steps],
                },
                indent=1,
            )
        )
    if arguments.svg:
        lines = {
            "partial": [(step.streams, step.partial.p95) for step in steps if step.partial.p95 is not None],
            "final (compute)": [(step.streams, step.compute.p95) for step in steps if step.compute.p95 is not None],
            "first partial": [(step.streams, step.first.p95) for step in steps if step.first.p95 is not None],
        }
        title = f"Latency against load, profile {arguments.profile}"
        arguments.svg.write_text(line_chart(title, lines, x="streams", y="P95 in milliseconds", ceiling=2 * LATE, mark=LATE))


def parser(description: str | None) -> argparse.ArgumentParser:
    """The arguments that all load benchmarks share."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", type=Profile, choices=list(Profile), default=Profile.READ, help="see bench/audio.py")
    parser.add_argument("--data", type=Path, help="folder with manifest.jsonl; default: the wheel's recordings")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long each session speaks in a step (default: 30)")
    parser.add_argument("--max-segment", type=float, default=15.0, help="the server's segmentation.max_segment (default: 15)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="environment variable of the server")
    parser.add_argument("--json", type=Path, help="write the results here")
    return parser


def main() -> None:
    """The command line."""
    arguments = parser(__doc__)
    arguments.add_argument("--url", help="a running server; default: start one")
    arguments.add_argument("--pid", type=int, help="with --url: its process, for CPU and memory")
    arguments.add_argument(
        "--workers", type=int, default=0, help="recognizer processes, with --pin on so many cores; default: one process for all"
    )
    arguments.add_argument("--pin", action="store_true", help="the server on cores of its own, the sessions on the others")
    arguments.add_argument(
        "--apart", action="store_true", help="recognizers on cores of their own, the gateway with the sessions"
    )
    arguments.add_argument("--interval", type=float, help="seconds between partials; default: the server's")
    arguments.add_argument("--streams", type=int, nargs="+", help="try these numbers of streams instead of searching")
    arguments.add_argument("--ceiling", type=int, default=256, help="search no further (default: 256)")
    arguments.add_argument("--svg", type=Path, help="draw P95 against streams")
    run(measure(arguments.parse_args()))


def _ms(spread: Spread, count: int) -> str:
    return "/".join("-" if value is None else str(value) for value in (spread.p50, spread.p95, spread.p99)[:count])


if __name__ == "__main__":
    main()
