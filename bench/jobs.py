"""Recordings from many clients at once, while transcribers are killed at random: is any lost, or there twice, and how long does
it take?

A server without transcribers, and transcribers beside it of which something dies after every few texts, drawn by a seed: the
transcriber, the template of its scribes, or its scribe in the middle of a recording. Each client hands in short clips, one after
the other, sends again what it got no answer to, and compares the text::

    python -m bench.jobs --jobs 500 --clients 20 --kill-every 10 --json out.json --svg out.svg
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import random
import signal
import sys
import tempfile
import time
import wave
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.audio import recordings
from bench.chart import line_chart
from bench.latency import Spread, spread
from bench.machine import as_text, describe, family
from bench.server import Server, own_server
from starling import Recognizer
from starling.client.errors import Unreachable
from starling.client.jobs import Jobs
from starling.core.audio import SAMPLE_RATE, Samples
from starling.core.config import SessionConfig
from starling.core.errors import Overloaded
from starling.core.ports import Engine
from starling.engine.scripted import ScriptedEngine

CLIP = 3 * SAMPLE_RATE
STEP = SAMPLE_RATE
CLIPS = 12
"""Different ones; each starts a second after the one before."""

AGAIN = 0.5
"""Seconds until a client sends again what was not taken."""

ATTEMPTS = 50
"""Transcribers that a job may outlive: none is to fail for bad luck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """``jobs`` in all from ``clients`` at once; something of ``transcribers`` dies after every ``kill_every`` texts (0: nothing).

    ``seconds``: end after that time instead, whatever was done by then. ``engine``: of the settings.
    """

    jobs: int = 500
    clients: int = 20
    transcribers: int = 2
    kill_every: int = 10
    seconds: float = 0.0
    engine: str = "scripted"
    seed: int = 7


@dataclass(slots=True)
class Tally:
    """What clients saw. ``done``: seconds from the start at which each text was there."""

    texts: dict[str, bool] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)
    done: list[float] = field(default_factory=list)
    again: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """``lost``: jobs taken in that are not done in the history. ``twice``: those that are there more than once.

    ``wrong``: texts that are not those of the recording. ``wait``: seconds from handing in to the text. ``speed``: seconds of
    recordings transcribed a second, of all transcribers together.
    """

    jobs: int
    results: int
    lost: int
    twice: int
    wrong: int
    killed: Mapping[str, int]
    again: int
    seconds: float
    wait: Spread
    throughput: float
    speed: float
    attempts: Mapping[int, int]


def clips(engine: str) -> list[tuple[bytes, str]]:
    """Short recordings as WAV files, and what is said in each."""
    sound = next(recordings(None))
    parts = [sound[at : at + CLIP] for at in range(0, CLIPS * STEP, STEP)]
    chosen: Engine | None = ScriptedEngine() if engine == "scripted" else None
    with Recognizer(engine=chosen) as recognizer:
        config = SessionConfig(partials=False)
        return [
            (_wav(part), " ".join(final.text for final in recognizer.transcribe(part, config) if final.text)) for part in parts
        ]


async def measure(plan: Plan) -> tuple[Outcome, Tally]:
    """Do as ``plan`` says, in a directory of its own."""
    sounds = await asyncio.to_thread(clips, plan.engine)
    with tempfile.TemporaryDirectory(prefix="starling-jobs-") as directory:
        settings = _settings(plan, Path(directory))
        async with own_server(settings=[f"{name}={value}" for name, value in settings.items()]) as server:
            tally, killed = await _play(plan, server, settings, sounds)
            return await _judge(server, tally, killed), tally


async def _play(
    plan: Plan, server: Server, settings: Mapping[str, str], sounds: Sequence[tuple[bytes, str]]
) -> tuple[Tally, Counter[str]]:
    tally, killed, began = Tally(), Counter[str](), time.monotonic()
    numbers = iter(range(plan.jobs if not plan.seconds else 1_000_000))
    async with AsyncExitStack() as stack:
        crews = [await stack.enter_async_context(_transcriber(settings)) for _ in range(plan.transcribers)]
        killing = asyncio.create_task(_kill(plan, crews, tally, killed))
        try:
            async with asyncio.TaskGroup() as clients:
                for _ in range(plan.clients):
                    clients.create_task(_client(plan, server, numbers=numbers, sounds=sounds, tally=tally, began=began))
        finally:
            killing.cancel()
            await asyncio.wait([killing])
    return tally, killed


async def _client(
    plan: Plan, server: Server, *, numbers: Iterator[int], sounds: Sequence[tuple[bytes, str]], tally: Tally, began: float
) -> None:
    async with Jobs(server.url) as jobs:
        for number in numbers:  # all clients share it
            if plan.seconds and time.monotonic() - began > plan.seconds:
                return
            sound, expected = sounds[number % len(sounds)]
            since = time.monotonic()
            while True:
                try:
                    task = await jobs.submit(sound, name=f"clip-{number}.wav", idempotency_key=f"{plan.seed}-{number}")
                    found = await jobs.wait(task.task_id)
                    break
                except (Unreachable, Overloaded):
                    tally.again += 1
                    await asyncio.sleep(AGAIN)
            assert found.result is not None
            tally.texts[found.task_id] = found.result.text == expected
            tally.waits.append(time.monotonic() - since)
            tally.done.append(time.monotonic() - began)
            tally.news.set()


async def _judge(server: Server, tally: Tally, killed: Counter[str]) -> Outcome:
    """What the history says, page by page, beside what clients saw."""
    found, attempts, audio, cursor = Counter[str](), Counter[int](), 0.0, ""
    done = set[str]()
    async with Jobs(server.url) as jobs:
        while True:
            page = await jobs.history(limit=200, cursor=cursor)
            for task in page.tasks:
                found[task.name] += 1
                attempts[task.attempts] += 1
                if task.status.value == "done":
                    done.add(task.task_id)
                    audio += task.duration or 0.0
            cursor = page.cursor
            if not cursor:
                break
    seconds = max(tally.done, default=0.0)
    return Outcome(
        jobs=len(found),
        results=len(tally.texts),
        lost=len(set(tally.texts) - done) + len(found) - len(done),
        twice=sum(count - 1 for count in found.values()),
        wrong=sum(not right for right in tally.texts.values()),
        killed=dict(killed),
        again=tally.again,
        seconds=round(seconds, 1),
        wait=spread(tally.waits),
        throughput=round(len(tally.texts) / seconds, 2) if seconds else 0.0,
        speed=round(audio / seconds, 1) if seconds else 0.0,
        attempts=dict(sorted(attempts.items())),
    )


class _Crew:
    """A transcriber, started again whenever it has ended."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._environment = os.environ | settings | {"STARLING_JOBS__WORKERS": "1"}
        self.process: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        while True:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "starling", "transcriber", "--log-level", "error", env=self._environment,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            await self.process.wait()

    def victims(self) -> dict[str, int]:
        """It, its parent, its template, ready or still loading, and its scribe if one is at work."""
        if self.process is None or self.process.returncode is not None:
            return {}
        found = {"parent": self.process.pid}
        with suppress(OSError):
            below = {pid: _name(pid) for pid in family(self.process.pid) if pid != self.process.pid}
            found.update((name if name in {"transcriber", "scribe"} else "template", pid) for pid, name in below.items())
        return found


@asynccontextmanager
async def _transcriber(settings: Mapping[str, str]) -> AsyncIterator[_Crew]:
    crew = _Crew(settings)
    running = asyncio.create_task(crew.run())
    try:
        yield crew
    finally:
        running.cancel()
        await asyncio.wait([running])
        if crew.process is not None and crew.process.returncode is None:
            crew.process.terminate()
            await crew.process.wait()


async def _kill(plan: Plan, crews: Sequence[_Crew], tally: Tally, killed: Counter[str]) -> None:
    draw, due = random.Random(plan.seed), plan.kill_every
    while plan.kill_every:
        await tally.news.wait()
        tally.news.clear()
        if len(tally.done) < due:
            continue
        due += plan.kill_every
        victims = draw.choice(crews).victims()
        if victims:
            role = draw.choice(sorted(victims))
            with suppress(OSError):
                os.kill(victims[role], signal.SIGKILL)
                killed[role] += 1


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def _settings(plan: Plan, directory: Path) -> dict[str, str]:
    return {
        "STARLING_ENGINE__NAME": plan.engine,
        "STARLING_JOBS__STORE": f"sqlite:{directory / 'jobs.db'}",
        "STARLING_JOBS__RECORDINGS": str(directory / "recordings"),
        "STARLING_JOBS__LOG": "off",
        "STARLING_JOBS__WORKERS": "0",
        "STARLING_JOBS__IDLE_ONLY": "false",
        "STARLING_JOBS__LEASE": "2",
        "STARLING_JOBS__RETRY_WAIT": "0",
        "STARLING_JOBS__MAX_ATTEMPTS": str(ATTEMPTS),
    }


def _wav(sound: Samples) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(sound.tobytes())
    return made.getvalue()


async def _main(arguments: argparse.Namespace) -> int:
    plan = Plan(**{name: getattr(arguments, name) for name in Plan.__dataclass_fields__})
    machine = await describe()
    print(as_text(machine))
    outcome, tally = await measure(plan)
    result: dict[str, Any] = {"machine": asdict(machine), "plan": asdict(plan), "outcome": asdict(outcome)}
    result["done"] = [round(at, 1) for at in sorted(tally.done)]
    print(json.dumps(result["outcome"], indent=2))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    if arguments.svg is not None:
        done = [(at, float(count)) for count, at in enumerate(sorted(tally.done), start=1)]
        title = f"{outcome.results} recordings from {plan.clients} clients, {sum(outcome.killed.values())} processes killed"
        top = float(max(1, outcome.results))
        arguments.svg.write_text(line_chart(title, {"texts": done}, x="seconds", y="texts", ceiling=top, mark=top))
    return 1 if outcome.lost or outcome.twice or outcome.wrong else 0


def main() -> None:
    """Read the command line, measure, and exit with 1 if anything was lost, wrong or there twice."""
    usual = Plan()
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--jobs", type=int, default=usual.jobs)
    parser.add_argument("--clients", type=int, default=usual.clients)
    parser.add_argument("--transcribers", type=int, default=usual.transcribers)
    parser.add_argument("--kill-every", type=int, default=usual.kill_every, help="texts; 0 kills nothing")
    parser.add_argument("--seconds", type=float, default=usual.seconds, help="end after that time, whatever --jobs says")
    parser.add_argument("--engine", default=usual.engine)
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--svg", type=Path)
    sys.exit(asyncio.run(_main(parser.parse_args())))


if __name__ == "__main__":
    main()
