"""How much audio one core carries through each audio log: as fast as it goes, there and nothing back but checkpoints.

::

    python -m bench.throughput --streams 32

A gateway's end appends records of one chunk for many sessions, each of them as soon as the one before is on the log. The other
end, a process of its own where the log is between processes, follows and commits every two seconds of sound. What counts is CPU,
of both ends and of the servers between them, so that other work on the machine changes little: chunks for each second of it. The
first ``--warm-up`` seconds of sound do not count: a broker compiles its code while it runs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from bench.carriers import LEAD, carrier, receive
from bench.machine import as_text, describe
from bench.shared_log import COMMIT_EVERY, sessions
from starling.bus.memory import MemoryAudioLog
from starling.cli.eventloop import run
from starling.core.audio import SAMPLE_RATE, samples
from starling.core.config import SessionConfig
from starling.core.ports import AudioLog
from starling.core.records import Audio, Checkpoint, Ended, Opened

LATE: Final = 600.0
"""Seconds after which nothing moves any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """One log's cost: CPU in microseconds for one chunk, at each end and in ``servers`` between them; ``wall``: chunks per second
    that passed, of which others that use the machine have their share.
    """

    gateway: float
    recognizer: float
    servers: float
    wall: float

    @property
    def per_core(self) -> float:
        """Chunks for each second of CPU."""
        return 1e6 / (self.gateway + self.recognizer + self.servers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is sent: so many ``chunks`` of ``chunk`` samples in each of ``streams`` sessions, after ``warm_up`` not counted."""

    streams: int
    chunk: int
    chunks: int
    warm_up: int

    @property
    def all(self) -> int:
        """Of all sessions."""
        return self.streams * self.chunks


# --- the gateway's end ---


async def opened(audio_log: AudioLog, plan: Plan) -> None:
    """All sessions are on the log."""
    for name in sessions(plan.streams):
        await audio_log.append(Opened(name, "trace", Checkpoint(config=SessionConfig())))


async def send(audio_log: AudioLog, plan: Plan, first: int, last: int) -> None:
    """Chunks ``first`` to before ``last``, each session on its own."""
    sound = np.zeros(plan.chunk, np.int16)

    async def one(name: str) -> None:
        for number in range(first, last):
            await audio_log.append(Audio(name, number, number * plan.chunk, sound, time.monotonic()))

    await asyncio.gather(*map(one, sessions(plan.streams)))


async def end(audio_log: AudioLog, plan: Plan) -> None:
    """Nobody says more."""
    for name in sessions(plan.streams):
        await audio_log.append(Ended(name, plan.warm_up + plan.chunks))


async def in_memory(plan: Plan) -> Carried:
    """Both ends in one process."""
    audio_log = MemoryAudioLog(max_lead=LEAD)
    await opened(audio_log, plan)
    used, began = time.process_time(), time.monotonic()
    following = asyncio.create_task(follow(audio_log, plan.streams))
    await send(audio_log, plan, 0, plan.chunks)
    await end(audio_log, plan)
    await following
    used, taken = time.process_time() - used, time.monotonic() - began
    return Carried(gateway=1e6 * used / plan.all, recognizer=0.0, servers=0.0, wall=plan.all / taken)


async def between_processes(way: str, plan: Plan) -> Carried:
    """Send, until the recognizer has all."""
    async with carrier(way, "bench.throughput", plan.streams) as found:
        await send(found.audio_log, plan, 0, plan.warm_up)
        before, began = found.used(), time.monotonic()
        await send(found.audio_log, plan, plan.warm_up, plan.warm_up + plan.chunks)
        await end(found.audio_log, plan)
        used, taken = await found.ended() - before, time.monotonic() - began
    gateway, recognizer, servers = (1e6 * cost / plan.all for cost in (used.gateway, used.recognizer, used.servers))
    return Carried(gateway=gateway, recognizer=recognizer, servers=servers, wall=plan.all / taken)


# --- the recognizer's end ---


async def follow(audio_log: AudioLog, streams: int) -> None:
    """Until all sessions have ended."""
    committed = dict.fromkeys(sessions(streams), 0)
    async for batch in audio_log.follow():
        for record in batch:
            if isinstance(record, Audio) and record.end - committed[record.session_id] >= COMMIT_EVERY:
                committed[record.session_id] = record.end
                await audio_log.commit(record.session_id, Checkpoint(config=SessionConfig(), position=record.end))
            elif isinstance(record, Ended):
                await audio_log.forget(record.session_id)
                del committed[record.session_id]
        if not committed:
            break
    await audio_log.close()


# --- the comparison ---

WAYS: Final[dict[str, Callable[[Plan], Awaitable[Carried]]]] = {
    "memory": in_memory,
    **{way: partial(between_processes, way) for way in ("shared", "redis", "kafka")},
}
"""Logs, in the order in which they take turns."""


async def measure(arguments: argparse.Namespace) -> None:
    """All logs in turn, ``rounds`` times, and the median of each number."""
    machine = await describe()
    print(as_text(machine), end="\n\n")
    chunk = samples(arguments.chunk_ms / 1000)
    seconds, warm_up = (it * SAMPLE_RATE // chunk for it in (arguments.seconds, arguments.warm_up))
    plan = Plan(streams=arguments.streams, chunk=chunk, chunks=seconds, warm_up=warm_up)
    found: dict[str, list[Carried]] = {name: [] for name in WAYS}
    for _ in range(arguments.rounds):
        for name, way in WAYS.items():
            async with asyncio.timeout(LATE):
                found[name].append(await way(plan))
    result = {name: summary(rounds, plan) for name, rounds in found.items()}
    print(
        f"{plan.streams} streams, {arguments.seconds} s of sound each in chunks of {arguments.chunk_ms} ms; CPU in microseconds"
    )
    head = ("chunks/s/core", "streams/core", "gateway", "recognizer", "servers", "chunks/s")
    print(f"{'':8}" + "".join(f"{name:>15}" for name in head))
    for name, row in result.items():
        keys = ("per_core", "streams_per_core", "gateway", "recognizer", "servers", "wall")
        print(f"{name:8}" + "".join(f"{row[key]:15.1f}" for key in keys))
    if arguments.json:
        about = {"machine": asdict(machine), "streams": plan.streams, "chunk_ms": arguments.chunk_ms}
        arguments.json.write_text(json.dumps({**about, "logs": result}, indent=1))


def summary(rounds: Sequence[Carried], plan: Plan) -> dict[str, float]:
    """Medians. ``streams_per_core``: how many people speak in so many chunks."""
    numbers = {name: statistics.median(asdict(one)[name] for one in rounds) for name in asdict(rounds[0])}
    per_core = statistics.median(one.per_core for one in rounds)
    return numbers | {"per_core": per_core, "streams_per_core": per_core * plan.chunk / SAMPLE_RATE}


def main() -> None:
    """The command line, and that of the recognizer it starts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=32, help="sessions at once (default: 32)")
    parser.add_argument("--chunk-ms", type=int, default=100, help="sound in one chunk, in ms (default: 100)")
    parser.add_argument("--seconds", type=int, default=60, help="of sound in each session (default: 60)")
    parser.add_argument("--warm-up", type=int, default=30, help="seconds of sound before that, not counted (default: 30)")
    parser.add_argument("--rounds", type=int, default=3, help="of each log (default: 3)")
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--receive", nargs=2, metavar=("WAY", "WHERE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    with suppress(KeyboardInterrupt):
        if arguments.receive:
            way, where = arguments.receive
            run(receive(way, where, lambda audio_log, _: follow(audio_log, arguments.streams)))
        else:
            run(measure(arguments))


if __name__ == "__main__":
    main()
