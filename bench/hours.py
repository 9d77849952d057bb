"""A recording of hours through the running service: what does it hold in memory while it is transcribed, and what does it cost?

A server with one transcriber beside it. The recording is handed in over HTTP; in its middle comes a short one for whose text
somebody waits, which is to be done at once. Memory is what each process has for itself, and its part of what it shares (PSS)::

    python -m bench.hours --hours 2 --data folder --json out.json
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import tempfile
import time
import wave
from collections.abc import Iterator
from contextlib import aclosing, suppress
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path

import numpy as np

from bench.audio import recordings
from bench.machine import as_text, describe, family
from bench.server import Server, own_server
from starling.client.jobs import Jobs
from starling.client.task import Task
from starling.core.audio import SAMPLE_RATE, Samples
from starling.core.jobs import JobStatus
from starling.core.load import Priority
from starling.gateway.recordings.consumption import consumption

LOOK = 0.5
"""Seconds between two looks at memory."""

PAUSE = SAMPLE_RATE
SHORT = 10 * SAMPLE_RATE


@dataclass(slots=True)
class Seen:
    """``most``: MB of each role; ``over_time``: seconds of the recording that were done, and MB of its scribe."""

    most: dict[str, float] = field(default_factory=dict)
    over_time: list[tuple[float, float]] = field(default_factory=list)
    done: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """``cpu``: seconds of all processes together, from handing in to the end; ``waited``: seconds until the short one was done,
    and how far the long one was then, of 1.
    """

    hours: float
    status: str
    words: int
    cpu: float
    seconds: float
    waited: float
    middle: float
    most: dict[str, float]
    over_time: list[tuple[float, float]]


def write_long(path: Path, speech: Iterator[Samples], length: int) -> None:
    """``speech`` round and round, a second of silence after each, until there are ``length`` samples."""
    silence, written = np.zeros(PAUSE, np.int16), 0
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        for one in cycle(speech):
            for piece in (one, silence):
                file.writeframesraw(piece[: length - written].tobytes())
                written = min(length, written + len(piece))
            if written >= length:
                return


async def measure(data: Path | None, hours: float) -> Outcome:
    """Hand it in, and look until it is done."""
    with tempfile.TemporaryDirectory(prefix="starling-hours-") as directory:
        path, short = Path(directory) / "hours.wav", next(recordings(data))[:SHORT]
        await asyncio.to_thread(write_long, path, recordings(data), round(hours * 3600) * SAMPLE_RATE)
        jobs = {
            "STORE": f"sqlite:{directory}/jobs.db",
            "RECORDINGS": f"{directory}/kept",
            "LOG": "off",
            "WORKERS": "1",
            "IDLE_ONLY": "false",
        }
        settings = [f"STARLING_JOBS__{name}={value}" for name, value in jobs.items()]
        async with own_server(settings=settings, workers=1) as server:
            return await _measure(server, path, short, hours)


async def _measure(server: Server, path: Path, short: Samples, hours: float) -> Outcome:
    seen, before, began = Seen(), consumption(server.pid), time.monotonic()
    looking = asyncio.create_task(_look(server.pid, seen))
    try:
        async with Jobs(server.url) as jobs:
            task = await jobs.submit(path)
            waited = middle = 0.0
            async with aclosing(jobs.follow(task.task_id)) as news:
                async for one in news:
                    if not isinstance(one, Task):
                        continue
                    seen.done = one.progress * hours * 3600
                    if not waited and one.progress > 0.5:
                        since = time.monotonic()
                        await jobs.wait((await jobs.submit(_wav(short), name="short.wav", priority=Priority.HIGH)).task_id)
                        waited, middle = time.monotonic() - since, (await jobs.get(task.task_id)).progress
            found = await jobs.get(task.task_id)
    finally:
        looking.cancel()
        await asyncio.wait([looking])
    after = consumption(server.pid)
    words = len(found.result.text.split()) if found.status is JobStatus.DONE and found.result is not None else 0
    return Outcome(
        hours=hours,
        status=found.status.value,
        words=words,
        cpu=round(after.cpu - before.cpu, 1) if before and after else 0.0,
        seconds=round(time.monotonic() - began, 1),
        waited=round(waited, 2),
        middle=round(middle, 3),
        most={role: round(megabytes, 1) for role, megabytes in sorted(seen.most.items())},
        over_time=seen.over_time[:: max(1, len(seen.over_time) // 100)],
    )


async def _look(pid: int, seen: Seen) -> None:
    while True:
        for role, megabytes in (await asyncio.to_thread(_memory, pid)).items():
            seen.most[role] = max(seen.most.get(role, 0.0), megabytes)
            if role == "scribe":
                seen.over_time.append((round(seen.done, 1), round(megabytes, 1)))
        await asyncio.sleep(LOOK)


def _memory(pid: int) -> dict[str, float]:
    """MB (PSS) of the processes below ``pid``, the largest of each name, and of all together."""
    found: dict[str, float] = {"all": 0.0}
    with suppress(OSError):
        for one in list(family(pid)):
            with suppress(OSError, StopIteration):
                name = Path(f"/proc/{one}/comm").read_text().strip()
                lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
                megabytes = next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
                found[name] = max(found.get(name, 0.0), megabytes)
                found["all"] += megabytes
    return found


def _wav(sound: Samples) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes(sound.tobytes())
    return made.getvalue()


def main() -> None:
    """Measure, and print as text or write as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()

    async def run() -> None:
        machine, outcome = await describe(), await measure(chosen.data, chosen.hours)
        print(as_text(machine))
        print(json.dumps({name: value for name, value in asdict(outcome).items() if name != "over_time"}, indent=2))
        if chosen.json:
            chosen.json.write_text(json.dumps({"machine": asdict(machine), "outcome": asdict(outcome)}, indent=1) + "\n")

    asyncio.run(run())


if __name__ == "__main__":
    main()
