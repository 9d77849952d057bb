"""What a result pays for passing other hosts: the same sessions over shared memory, over Redis and over Kafka, in turn.

::

    python -m bench.bus_tax --streams 32

A gateway and a recognizer, two processes. Each 0.3 s of sound is answered by a partial result, and each two seconds of it by a
final one and a checkpoint, by a task of each session, as in a recognizer. What is measured is the way there and back, from the
record's append to its result at the gateway, and the CPU of all: with Redis a third process, started for this on a Unix socket,
with its append-only file; with Kafka a fourth one, of one node, over TCP.

Nobody speaks in step with others, so records come one by one; ``--in-step`` lets them come all at once. What is fresh is slow: a
broker compiles its code while it runs. The first ``--warm-up`` seconds are therefore told apart.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.carriers import Carrier, Cpu, carrier, receive
from bench.machine import Meter, as_text, describe
from bench.shared_log import sessions
from starling.cli.eventloop import run
from starling.core.audio import SAMPLE_RATE, samples
from starling.core.config import SessionConfig
from starling.core.ports import AudioLog, ResultBus
from starling.core.records import Audio, Checkpoint, Ended
from starling.core.transcript import SessionDone, Transcript

SEGMENT: Final = 2 * SAMPLE_RATE
CADENCE: Final = 3 * SAMPLE_RATE // 10

WAYS: Final = ("shared", "redis", "kafka")
"""From append to result, in the order in which they take turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """What is said: records of ``chunk`` samples in each of ``streams`` sessions, for ``warm_up`` and then ``seconds``."""

    streams: int
    chunk: int
    warm_up: float
    seconds: float
    in_step: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One way's cost. CPU in ms for a second of one stream; ``servers``: of Redis, or of Kafka and Redis.

    ``p50`` and ``p95``: there and back, in ms; ``cold_p50`` and ``cold_p95``: the same in the first seconds.
    """

    cpu: float
    gateway: float
    recognizer: float
    servers: float
    p50: float
    p95: float
    cold_p50: float
    cold_p95: float


# --- the gateway ---


async def pass_over(way: str, talk: Talk) -> Passage:
    """One round of it."""
    async with carrier(way, "bench.bus_tax", talk.streams) as found:
        cold, warm, used = await converse(found, talk)
        await found.ended()
    spoken = talk.streams * talk.seconds
    gateway, recognizer, servers = (1000 * it / spoken for it in (used.gateway, used.recognizer, used.servers))
    (cold_p50, cold_p95), (p50, p95) = _percentiles(cold), _percentiles(warm)
    return Passage(
        cpu=gateway + recognizer + servers,
        gateway=gateway,
        recognizer=recognizer,
        servers=servers,
        p50=p50,
        p95=p95,
        cold_p50=cold_p50,
        cold_p95=cold_p95,
    )


async def converse(found: Carrier, talk: Talk) -> tuple[list[float], list[float], Cpu]:
    """How long each result took, in the first seconds and after them, and what CPU was used then."""
    names, sound = sessions(talk.streams), np.zeros(talk.chunk, np.int16)
    subscriptions = [await found.results.subscribe(name) for name in names]
    sent: dict[tuple[str, int], float] = {}
    late: tuple[list[float], list[float]] = [], []
    began = time.monotonic()
    warm = began + talk.warm_up

    async def hear(index: int) -> None:
        async for event in subscriptions[index]:
            if isinstance(event, Transcript):
                at = sent.pop((event.session_id, event.end))
                late[at >= warm].append(time.monotonic() - at)

    async def speak(index: int, name: str) -> None:
        first = began + (0 if talk.in_step else index / talk.streams) * talk.chunk / SAMPLE_RATE
        for number in range(int(samples(talk.warm_up + talk.seconds) / talk.chunk)):
            await asyncio.sleep(max(0.0, first + number * talk.chunk / SAMPLE_RATE - time.monotonic()))
            start = number * talk.chunk
            sent[name, start + talk.chunk] = time.monotonic()
            await found.audio_log.append(Audio(name, number, start, sound, time.monotonic()))

    hearing = [asyncio.create_task(hear(index)) for index in range(talk.streams)]
    speaking = [asyncio.create_task(speak(index, name)) for index, name in enumerate(names)]
    await asyncio.sleep(talk.warm_up)
    before = found.used()
    await asyncio.gather(*speaking)
    used = found.used() - before
    for name in names:
        await found.audio_log.append(Ended(name, 1 << 30))
    await asyncio.gather(*hearing)
    return *late, used


def _percentiles(late: Sequence[float]) -> tuple[float, float]:
    """P50 and P95, in ms; 0 of nothing."""
    if len(late) < 2:
        return 0.0, 0.0
    return 1000 * statistics.median(late), 1000 * statistics.quantiles(late, n=20)[18]


# --- the recognizer ---


async def recognize(audio_log: AudioLog, results: ResultBus, streams: int) -> None:
    """Answer every record, until all sessions have ended."""
    speakers = {name: Speaker(name, audio_log, results) for name in sessions(streams)}
    async with asyncio.TaskGroup() as tasks:
        for speaker in speakers.values():
            tasks.create_task(speaker.run())
        async for batch in audio_log.follow():
            for record in batch:
                if isinstance(record, Audio | Ended):
                    speakers[record.session_id].heard.put_nowait(record)
                if isinstance(record, Ended):
                    del speakers[record.session_id]
            if not speakers:
                break
    await audio_log.close()


class Speaker:
    """One session's results."""

    def __init__(self, name: str, audio_log: AudioLog, results: ResultBus) -> None:
        self.heard: asyncio.Queue[Audio | Ended] = asyncio.Queue()
        self._name = name
        self._log = audio_log
        self._results = results

    async def run(self) -> None:
        """Say something now and then until the session ends."""
        begun = spoken = segment = 0
        while isinstance(record := await self.heard.get(), Audio):
            is_final = record.end - begun >= SEGMENT
            if is_final or record.end - spoken >= CADENCE:
                spoken = record.end
                await self._results.publish(said(self._name, segment, begun, spoken, is_final=is_final))
            if is_final:
                begun, segment = spoken, segment + 1
                await self._log.commit(self._name, Checkpoint(config=SessionConfig(), position=begun, next_segment=segment))
        await self._results.publish(SessionDone(self._name, begun, segment))
        await self._log.forget(self._name)


def said(name: str, segment: int, start: int, end: int, *, is_final: bool) -> Transcript:
    """A result of usual length."""
    text = "it was the best of times it was the worst of times it was the age of wisdom"
    return Transcript(
        session_id=name,
        segment_id=segment,
        revision=end,
        is_final=is_final,
        text=text,
        stable_text=text[:40],
        start=start,
        end=end,
    )


# --- the comparison ---


async def measure(arguments: argparse.Namespace) -> None:
    """All ways in turn, ``rounds`` times, and the median of each number."""
    machine = await describe()
    print(as_text(machine), end="\n\n")
    talk = Talk(
        streams=arguments.streams,
        chunk=samples(arguments.chunk_ms / 1000),
        warm_up=arguments.warm_up,
        seconds=arguments.seconds,
        in_step=arguments.in_step,
    )
    found: dict[str, list[Passage]] = {way: [] for way in WAYS}
    meter = Meter(os.getpid(), time.monotonic())
    for _ in range(arguments.rounds):
        for way in WAYS:
            found[way].append(await pass_over(way, talk))
    usage = meter.stop(time.monotonic())
    medians = {name: _median(passages) for name, passages in found.items()}
    step = "in step" if talk.in_step else "one by one"
    print(f"{talk.streams} streams, records of {arguments.chunk_ms} ms, {step}; CPU in ms per second of one stream")
    head = ("cpu", "gateway", "recognizer", "servers", "p50 ms", "p95 ms", "cold p50", "cold p95")
    print(f"{'':8}" + "".join(f"{name:>12}" for name in head))
    for name, it in medians.items():
        print(f"{name:8}" + "".join(f"{value:12.2f}" for value in asdict(it).values()))
    tax = {name: _tax(passages, found["shared"]) for name, passages in found.items() if name != "shared"}
    for name, added in tax.items():
        print(f"added to the 95th percentile by {name}: {added:.2f} ms")
    print(f"cores that others used: {usage.others:.2f}")
    if arguments.json:
        about = {"machine": asdict(machine), "chunk_ms": arguments.chunk_ms, "tax_ms": tax, **asdict(talk)}
        result: dict[str, Any] = {"usage": asdict(usage), "ways": {name: asdict(it) for name, it in medians.items()}}
        arguments.json.write_text(json.dumps({**about, **result}, indent=1))


def _tax(passages: Sequence[Passage], shared: Sequence[Passage]) -> float:
    """What the 95th percentile rose by, in ms: the median of all rounds."""
    return statistics.median(there.p95 - here.p95 for there, here in zip(passages, shared, strict=True))


def _median(passages: Sequence[Passage]) -> Passage:
    fields = [asdict(passage) for passage in passages]
    return Passage(**{name: statistics.median(one[name] for one in fields) for name in fields[0]})


def main() -> None:
    """The command line, and that of the recognizer it starts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=32, help="sessions that speak at once (default: 32)")
    parser.add_argument("--chunk-ms", type=int, default=100, help="sound in one record, in ms (default: 100)")
    parser.add_argument("--warm-up", type=float, default=30.0, help="seconds of each round that are told apart (default: 30)")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each round after them (default: 20)")
    parser.add_argument("--rounds", type=int, default=3, help="of each way (default: 3)")
    parser.add_argument("--in-step", action="store_true", help="records of all sessions come at once")
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--receive", nargs=2, metavar=("WAY", "WHERE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    with suppress(KeyboardInterrupt):
        if arguments.receive:
            way, where = arguments.receive
            run(receive(way, where, lambda audio_log, results: recognize(audio_log, results, arguments.streams)))
        else:
            run(measure(arguments))


if __name__ == "__main__":
    main()
