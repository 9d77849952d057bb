"""Do recordings delay live captions on the same core?

::

    python -m bench.beside --streams 4 --rounds 3

A server, its recognizer and a transcriber share one core. People speak, in turns without a job, with one that computes only where
nobody else wants to (as it is), with one that somebody waits for (as it is, of high priority), and with one that competes as an
equal (``jobs.idle_only=false``).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from statistics import median

import numpy as np

from bench.audio import Profile, pool, recordings
from bench.latency import Latencies
from bench.load import Heard, Load, speak
from bench.machine import as_text, describe
from bench.recorded import write_flac
from bench.server import own_server
from starling.cli.eventloop import run
from starling.client.jobs import Jobs
from starling.core.load import Priority

LEAD = 0.5
STAGGER = 2.0

SETTLING = 8.0
"""Seconds between a job's submission and the first word: its models are loaded by then."""

CASES = {
    "no job": (None, Priority.NORMAL),
    "job in the idle time": ("true", Priority.NORMAL),
    "job that is waited for": ("true", Priority.HIGH),
    "job as an equal": ("false", Priority.NORMAL),
}


async def one_round(url: str, load: Load, streams: int, job: Path | None, priority: Priority) -> tuple[Latencies, float]:
    """What live sessions met, and seconds of the recording that were done meanwhile."""
    async with Jobs(url) as jobs:
        task = None if job is None else (await jobs.submit(job, priority=priority)).task_id
        await asyncio.sleep(SETTLING)
        before = 0.0 if task is None else (await jobs.get(task)).progress
        heard, begins = Heard(), time.monotonic() + LEAD
        async with asyncio.TaskGroup() as sessions:
            for number in range(streams):
                sessions.create_task(speak(url, load, number, begins + STAGGER * number / streams, heard))
        if task is None:
            return heard.latencies, 0.0
        after = await jobs.get(task)
        await jobs.delete(task)
        return heard.latencies, (after.progress - before) * (after.duration or 0.0)


async def measure(arguments: argparse.Namespace) -> None:
    """All cases in turns."""
    print(as_text(await describe()), end="\n\n")
    load = Load(pool=pool(Profile.READ, recordings(arguments.data)), seconds=arguments.seconds)
    finals: dict[str, list[float]] = {case: [] for case in CASES}
    done: dict[str, list[float]] = {case: [] for case in CASES}
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder) / "job.flac"
        write_flac(job, np.concatenate(list(recordings(None))), 60)
        for _ in range(arguments.rounds):
            for case, (idle, priority) in CASES.items():
                settings = [
                    f"STARLING_JOBS__STORE=sqlite:{folder}/jobs.db",
                    f"STARLING_JOBS__RECORDINGS={folder}/recordings",
                    "STARLING_JOBS__LOG=off",
                    f"STARLING_JOBS__WORKERS={0 if idle is None else 1}",
                    f"STARLING_JOBS__IDLE_ONLY={idle or 'true'}",
                ]
                async with own_server(settings=settings, core=arguments.core, workers=1) as server:
                    met, heard = await one_round(server.url, load, arguments.streams, None if idle is None else job, priority)
                finals[case] += met.compute
                done[case].append(heard)
    print(f"{arguments.streams} people speak for {arguments.seconds:g} s, {arguments.rounds} rounds")
    for case in CASES:
        p50, p95 = np.percentile(finals[case], [50, 95])
        beside = p50 / np.percentile(finals["no job"], 50)
        speed = median(done[case]) / arguments.seconds
        print(
            f"{case:22} final p50 {p50 * 1000:4.0f} ms ({beside:.2f} x), p95 {p95 * 1000:4.0f} ms; job at {speed:.1f} x real time"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps({"finals": finals, "done": done, "machine": asdict(await describe())}) + "\n")


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of recordings; those of the moonshine_voice wheel if left out")
    parser.add_argument("--streams", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--json", type=Path)
    run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
