"""Starling beside moonshine_voice's own streaming API: the same audio, pacing and core, in the same run, step by step in turn.

python -m bench.peers --profile read --seconds 30 --json out.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from bench.audio import pool, recordings
from bench.latency import Latencies
from bench.load import Load, run_step
from bench.machine import Meter, as_text, describe, memory_by_role, pinned
from bench.ramp import Step, search, shortfall, summary
from bench.server import own_server
from bench.streams import HEADER, cores, parser, row
from starling.cli.eventloop import run

PATIENCE = 60.0
"""Seconds beyond its time after which a step of the peer is given up."""


@dataclass(slots=True)
class Contestant:
    """Who is measured, and how a step of it is made."""

    name: str
    step: Callable[[int], Awaitable[Step]]
    steps: list[Step] = field(default_factory=list)
    limit: int | None = None

    @property
    def at_limit(self) -> Step | None:
        """A step of as many streams as hold, if any hold."""
        return next((step for step in reversed(self.steps) if step.streams == self.limit), None)


async def measure(arguments: argparse.Namespace) -> None:
    """Search the limits of both in turn, so that a change of the machine's mood meets both."""
    machine = await describe()
    print(as_text(machine), end="\n\n")
    core, *others = cores()
    load = Load(
        pool=pool(arguments.profile, recordings(arguments.data)),
        seconds=arguments.seconds,
        partial_interval=arguments.interval,
        max_segment=arguments.max_segment,
    )
    print(f"profile {arguments.profile}, {load.seconds:g} s a step, a partial every {arguments.interval:g} s of speech")
    print(f"moonshine_voice as {arguments.peer}")
    with tempfile.TemporaryDirectory() as folder:
        audio = Path(folder) / "pool.npy"
        np.save(audio, load.pool)
        async with own_server(settings=arguments.set, core=core, workers=arguments.workers) as server:
            with pinned(others):
                starling = Contestant("starling", lambda streams: run_step(server.url, load, streams, server=server.pid))
                peer = Contestant("moonshine_voice", lambda streams: peer_step(audio, load, streams, core, arguments))
                await contest([peer, starling], arguments.ceiling)
    print()
    for contestant in (peer, starling):
        print(f"{contestant.name}: {contestant.limit} streams of {arguments.profile} on one core")
    print(f"streams, starling to moonshine_voice: {_ratio(starling.limit, peer.limit)}")
    costs = [(contestant.at_limit or contestant.steps[0]).cpu_per_stream for contestant in (peer, starling)]
    print(f"CPU per stream at these limits (at one stream where none hold): {costs[0]:.3f} to {costs[1]:.3f} cores")
    if arguments.json:
        arguments.json.write_text(
            json.dumps(
                {
                    "machine": asdict(machine),
                    "profile": arguments.profile,
                    "partial_interval": arguments.interval,
                    "peer": arguments.peer,
                    "settings": arguments.set,
                    **{
                        contestant.name: {"limit": contestant.limit, "steps": [asdict(step) for step in contestant.steps]}
                        for contestant in (peer, starling)
                    },
                },
                indent=1,
            )
        )


async def contest(contestants: list[Contestant], ceiling: int) -> None:
    """One step each in turn until the limits of all are known."""
    searches = {contestant.name: search(1, ceiling) for contestant in contestants}
    wanted = {name: next(numbers) for name, numbers in searches.items()}
    print(f"{'':16} {HEADER}")
    while wanted:
        for contestant in contestants:
            if contestant.name not in wanted:
                continue
            step = await contestant.step(wanted[contestant.name])
            contestant.steps.append(step)
            missing = shortfall(step, contestant.steps[0])
            print(f"{contestant.name:16} {row(step)}  {missing or 'holds'}", flush=True)
            try:
                wanted[contestant.name] = searches[contestant.name].send(missing is None)
            except StopIteration as found:
                contestant.limit = found.value
                del wanted[contestant.name]


async def peer_step(audio: Path, load: Load, streams: int, core: int, arguments: argparse.Namespace) -> Step:
    """A step of moonshine_voice in a process of its own on ``core``. Raises RuntimeError if the process breaks."""
    with pinned([core]):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bench.moonshine_peer",
            *map(str, (audio, streams, load.seconds, arguments.interval, arguments.peer)),
            stdout=asyncio.subprocess.PIPE,
            limit=2**26,
        )
    try:
        assert process.stdout is not None
        if not await process.stdout.readline():
            raise RuntimeError("moonshine_voice did not start: its messages are above")
        meter = Meter(process.pid, time.monotonic())
        async with asyncio.timeout(load.seconds + PATIENCE):
            reading = asyncio.ensure_future(process.stdout.readline())
            await asyncio.wait([reading], timeout=load.seconds)
            usage, memory = meter.stop(time.monotonic()), memory_by_role(process.pid)
            line = await reading
        if not line:
            raise RuntimeError("moonshine_voice ended without an answer: its messages are above")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    answer = json.loads(line)
    return summary(
        Latencies(**answer["latencies"]),
        streams=streams,
        seconds=load.seconds,
        lateness=[],
        refused=0,
        failed=streams if answer["given_up"] else 0,
        memory=memory,
        usage=usage,
    )


def _ratio(ours: int | None, theirs: int | None) -> str:
    return f"{ours / theirs:.1f}" if ours and theirs else f"{ours} to {theirs}"


def main() -> None:
    """The command line."""
    arguments = parser(__doc__)
    arguments.add_argument("--interval", type=float, default=0.5, help="seconds of speech between partials, of both (0.5)")
    arguments.add_argument(
        "--workers", type=int, default=0, help="recognizers, all on the one core; default: one process for all"
    )
    arguments.add_argument(
        "--peer", choices=("tuned", "shipped"), default="tuned", help="see bench/moonshine_peer.py (default: tuned)"
    )
    arguments.add_argument("--ceiling", type=int, default=128, help="search no further (default: 128)")
    run(measure(arguments.parse_args()))


if __name__ == "__main__":
    main()
