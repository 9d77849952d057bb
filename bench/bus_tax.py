"""What a result pays for passing other hosts: the same sessions over shared memory, over Redis and over Kafka, in turn.

::

    python -m bench.bus_tax --streams 32

A gateway and a recognizer, two processes. Each 0.3 s of sound is answered by a partial result, and each two seconds of it by a
final one and a checkpoint, by a task of each session, as in a recognizer. What is measured is the way there and back, from the
record's append to its result at the gateway, and the CPU of all: with Redis a third process, started for this on a Unix socket,
with its append-only file; with Kafka a fourth one, of one node, over TCP.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.hosts import RedisServer, kafka_server
from bench.machine import Meter, as_text, describe
from bench.shared_log import paced, ready, sessions
from starling.bus.kafka.cluster import Cluster, KafkaOptions
from starling.bus.kafka.sides import gateway_side, recognizer_side
from starling.bus.redis.link import Link, RedisOptions
from starling.bus.redis.sides import GatewaySide, RecognizerSide
from starling.bus.shared.arena import Arena
from starling.bus.shared.layout import Geometry
from starling.bus.shared.ownership import Ownership
from starling.bus.shared.sides import GatewaySide as SharedGatewaySide
from starling.bus.shared.sides import WorkerSide
from starling.cli.eventloop import run
from starling.core.audio import SAMPLE_RATE, samples
from starling.core.config import SessionConfig
from starling.core.ports import AudioLog, ResultBus
from starling.core.records import Audio, Checkpoint, Ended, Opened
from starling.core.transcript import SessionDone, Transcript

SEGMENT: Final = 2 * SAMPLE_RATE
CADENCE: Final = 3 * SAMPLE_RATE // 10
LEAD: Final = 60 * SAMPLE_RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One way's cost. CPU in ms for a second of one stream; ``servers``: of Redis, or of Kafka and Redis.

    ``p50`` and ``p95``: there and back, in ms.
    """

    cpu: float
    gateway: float
    recognizer: float
    servers: float
    p50: float
    p95: float


# --- the gateway ---


async def converse(
    audio_log: AudioLog, results: ResultBus, streams: int, chunk: int, seconds: float
) -> tuple[list[float], float]:
    """How long each partial took, and the CPU of this process."""
    late: list[float] = []
    sent: dict[tuple[str, int], float] = {}
    names, sound = sessions(streams), np.zeros(chunk, np.int16)
    subscriptions = [await results.subscribe(name) for name in names]

    async def hear(index: int) -> None:
        async for event in subscriptions[index]:
            if isinstance(event, Transcript):
                late.append(time.monotonic() - sent[event.session_id, event.end])  # noqa: PERF401 - when it comes

    async def send(sequence: int, start: int) -> None:
        async def one(name: str) -> None:
            sent[name, start + chunk] = time.monotonic()
            await audio_log.append(Audio(name, sequence, start, sound, time.monotonic()))

        await asyncio.gather(*map(one, names))

    used = time.process_time()
    hearing = [asyncio.create_task(hear(index)) for index in range(streams)]
    await paced(chunk, seconds, send)
    for name in names:
        await audio_log.append(Ended(name, 1 << 30))
    await asyncio.gather(*hearing)
    return late, time.process_time() - used


async def over_shared(streams: int, chunk: int, seconds: float) -> Passage:
    """Shared memory."""
    arena = Arena.create(Geometry(slots=streams, workers=1, max_lead=LEAD))
    side, ownership = SharedGatewaySide.of(arena), Ownership(arena)
    for name in sessions(streams):
        await side.audio_log.append(Opened(name, "trace", Checkpoint(config=SessionConfig())))
    for slot in ownership.waiting():
        ownership.assign(slot, 0)
    recognizer = start("shared", str(arena.fd), streams, arena.fds)
    await ready(recognizer)
    late, used = await converse(side.audio_log, side.results, streams, chunk, seconds)
    await side.audio_log.close()
    return await outcome(late, used, recognizer, 0.0, streams * seconds)


async def over_redis(streams: int, chunk: int, seconds: float) -> Passage:
    """Redis."""
    with RedisServer() as redis:
        async with linked(redis.url) as link:
            side = GatewaySide.of(link, "gateway", time.monotonic, max_lead=LEAD)
            return await over_hosts(side, start("redis", redis.url, streams, ()), (redis.pid,), (streams, chunk, seconds))


async def over_kafka(streams: int, chunk: int, seconds: float) -> Passage:
    """Kafka, and Redis beside it."""
    with RedisServer() as redis, kafka_server() as broker:
        options = KafkaOptions(brokers=broker.address)
        cluster = Cluster(options)
        await cluster.check()
        async with linked(redis.url) as link, gateway_side(link, options, "gateway", time.monotonic, max_lead=LEAD) as side:
            recognizer = start("kafka", f"{redis.url} {broker.address}", streams, ())
            found = await over_hosts(side, recognizer, (redis.pid, broker.pid), (streams, chunk, seconds))
        cluster.close()
    return found


async def over_hosts(
    side: GatewaySide, recognizer: subprocess.Popen[str], servers: Sequence[int], load: tuple[int, int, float]
) -> Passage:
    """``servers``: process ids. ``load``: streams, samples of a record, seconds."""
    streams, chunk, seconds = load
    hearing = asyncio.create_task(side.inbox.run())
    await side.inbox.listening.wait()
    await ready(recognizer)
    for name in sessions(streams):
        await side.audio_log.append(Opened(name, "trace", Checkpoint(config=SessionConfig())))
    before = sum(map(cpu_of, servers))
    late, used = await converse(side.audio_log, side.results, streams, chunk, seconds)
    spent = sum(map(cpu_of, servers)) - before
    found = await outcome(late, used, recognizer, spent, streams * seconds)
    hearing.cancel()
    await asyncio.wait([hearing])
    return found


async def outcome(
    late: Sequence[float], used: float, recognizer: subprocess.Popen[str], servers: float, seconds: float
) -> Passage:
    """``seconds``: of all streams together."""
    told, _ = await asyncio.to_thread(recognizer.communicate)
    theirs = json.loads(told)["cpu"]
    return Passage(
        cpu=1000 * (used + theirs + servers) / seconds,
        gateway=1000 * used / seconds,
        recognizer=1000 * theirs / seconds,
        servers=1000 * servers / seconds,
        p50=1000 * statistics.median(late),
        p95=1000 * statistics.quantiles(late, n=20)[18],
    )


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


async def receive(way: str, where: str, streams: int) -> None:
    """Be the recognizer."""
    if way == "shared":
        shared = WorkerSide.of(Arena.attach(int(where)), 0, "bench")
        print("ready", flush=True)
        used = time.process_time()
        await recognize(shared.audio_log, shared.results, streams)
    else:
        url, _, brokers = where.partition(" ")
        async with linked(url) as link, side_of(link, brokers) as side:
            holding = asyncio.create_task(side.tenure.run())
            recognizing = asyncio.create_task(recognize(side.audio_log, side.results, streams))
            while not side.tenure.settled:  # noqa: ASYNC110 - Kafka makes it so
                await asyncio.sleep(0.01)
            print("ready", flush=True)
            used = time.process_time()
            await recognizing
            holding.cancel()
            await asyncio.wait([holding])
    print(json.dumps({"cpu": time.process_time() - used}))


def start(way: str, where: str, streams: int, fds: Sequence[int]) -> subprocess.Popen[str]:
    """The recognizer: this module again."""
    command = [sys.executable, "-m", "bench.bus_tax", "--receive", way, where, "--streams", str(streams)]
    return subprocess.Popen(command, pass_fds=fds, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own


# --- servers ---


@asynccontextmanager
async def linked(url: str) -> AsyncIterator[Link]:
    """A way to it."""
    link = Link(RedisOptions(url=url, lease=10.0))
    try:
        yield link
    finally:
        await link.close()


@asynccontextmanager
async def side_of(link: Link, brokers: str) -> AsyncIterator[RecognizerSide]:
    """The recognizer's. ``brokers``: of Kafka, if that has the audio."""
    if not brokers:
        yield RecognizerSide.of(link, "bench", time.monotonic)
        return
    options = KafkaOptions(brokers=brokers)
    async with recognizer_side(link, options, "bench", time.monotonic, lambda _how, _count: None) as side:
        yield side


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --- the comparison ---


async def measure(arguments: argparse.Namespace) -> None:
    """All ways in turn, ``rounds`` times, and the median of each number."""
    machine = await describe()
    print(as_text(machine), end="\n\n")
    chunk = samples(arguments.chunk_ms / 1000)
    found: dict[str, list[Passage]] = {name: [] for name in WAYS}
    meter = Meter(os.getpid(), time.monotonic())
    for _ in range(arguments.rounds):
        for name, way in WAYS.items():
            found[name].append(await way(arguments.streams, chunk, arguments.seconds))
    usage = meter.stop(time.monotonic())
    medians = {name: _median(passages) for name, passages in found.items()}
    print(f"{arguments.streams} streams, records of {arguments.chunk_ms} ms, CPU in ms per second of one stream")
    print(f"{'':8}{'cpu':>8}{'gateway':>9}{'recognizer':>12}{'servers':>9}{'p50 ms':>8}{'p95 ms':>8}")
    for name, it in medians.items():
        print(f"{name:8}{it.cpu:8.3f}{it.gateway:9.3f}{it.recognizer:12.3f}{it.servers:9.3f}{it.p50:8.2f}{it.p95:8.2f}")
    tax = {name: _tax(passages, found["shared"]) for name, passages in found.items() if name != "shared"}
    for name, added in tax.items():
        print(f"added to the 95th percentile by {name}: {added:.2f} ms")
    print(f"cores that others used: {usage.others:.2f}")
    if arguments.json:
        about = {"machine": asdict(machine), "streams": arguments.streams, "chunk_ms": arguments.chunk_ms, "tax_ms": tax}
        result: dict[str, Any] = {"usage": asdict(usage), "ways": {name: asdict(it) for name, it in medians.items()}}
        arguments.json.write_text(json.dumps({**about, **result}, indent=1))


def _tax(passages: Sequence[Passage], shared: Sequence[Passage]) -> float:
    """What the 95th percentile rose by, in ms: the median of all rounds."""
    return statistics.median(there.p95 - here.p95 for there, here in zip(passages, shared, strict=True))


def _median(passages: Sequence[Passage]) -> Passage:
    fields = [asdict(passage) for passage in passages]
    return Passage(**{name: statistics.median(one[name] for one in fields) for name in fields[0]})


WAYS: Final = {"shared": over_shared, "redis": over_redis, "kafka": over_kafka}
"""From append to result, in the order in which they take turns."""


def main() -> None:
    """The command line, and that of the recognizer it starts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=32, help="sessions that speak at once (default: 32)")
    parser.add_argument("--chunk-ms", type=int, default=100, help="sound in one record, in ms (default: 100)")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each round (default: 5)")
    parser.add_argument("--rounds", type=int, default=3, help="of each way (default: 3)")
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--receive", nargs=2, metavar=("WAY", "WHERE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    with suppress(KeyboardInterrupt):
        if arguments.receive:
            way, where = arguments.receive
            run(receive(way, where, arguments.streams))
        else:
            run(measure(arguments))


if __name__ == "__main__":
    main()
