"""What carries sessions from a gateway to a recognizer, for who measures it.

The gateway's end is here, the other in a process of its own, and between them are servers that were started for this.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.hosts import RedisServer, kafka_server
from bench.shared_log import ready, sessions
from starling.bus.kafka.cluster import Cluster, KafkaOptions
from starling.bus.kafka.sides import gateway_side, recognizer_side
from starling.bus.redis.link import Link, RedisOptions
from starling.bus.redis.sides import GatewaySide, RecognizerSide
from starling.bus.shared.arena import Arena
from starling.bus.shared.layout import Geometry
from starling.bus.shared.ownership import Ownership
from starling.bus.shared.sides import GatewaySide as SharedGatewaySide
from starling.bus.shared.sides import WorkerSide
from starling.core.audio import SAMPLE_RATE
from starling.core.config import SessionConfig
from starling.core.ports import AudioLog, ResultBus
from starling.core.records import Checkpoint, Opened

LEAD: Final = 60 * SAMPLE_RATE
"""Samples that a session may be ahead of its last checkpoint."""

HEAP: Final = ("-Xms512m", "-Xmx512m")
"""Of the broker, which compiles as it does in earnest, and not as it starts soonest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    """Seconds of it, at both ends and in the servers between them."""

    gateway: float
    recognizer: float
    servers: float

    def __sub__(self, before: Cpu) -> Cpu:
        return Cpu(
            gateway=self.gateway - before.gateway,
            recognizer=self.recognizer - before.recognizer,
            servers=self.servers - before.servers,
        )


@dataclass(frozen=True, slots=True)
class Carrier:
    """The gateway's end. ``servers``: process ids. All sessions are open, and the recognizer follows."""

    audio_log: AudioLog
    results: ResultBus
    recognizer: subprocess.Popen[str]
    servers: Sequence[int]

    def used(self) -> Cpu:
        """Until now."""
        servers = sum(map(cpu_of, self.servers))
        return Cpu(gateway=time.process_time(), recognizer=cpu_of(self.recognizer.pid), servers=servers)

    async def ended(self) -> Cpu:
        """What was used once the recognizer has ended, as it does when all sessions have."""
        told, _ = await asyncio.to_thread(self.recognizer.communicate)
        servers = sum(map(cpu_of, self.servers))
        return Cpu(gateway=time.process_time(), recognizer=json.loads(told)["cpu"], servers=servers)


@asynccontextmanager
async def carrier(way: str, module: str, streams: int) -> AsyncIterator[Carrier]:
    """``way``: ``shared``, ``redis`` or ``kafka``. ``module``: whose command line starts the recognizer, see ``receive``."""

    def start(where: str, fds: Sequence[int] = ()) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", module, "--receive", way, where, "--streams", str(streams)]
        recognizer = subprocess.Popen(command, pass_fds=fds, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own
        servers.callback(_end, recognizer)
        return recognizer

    async with AsyncExitStack() as servers:
        if way == "shared":
            arena = Arena.create(Geometry(slots=streams, workers=1, max_lead=LEAD))
            shared, ownership = SharedGatewaySide.of(arena), Ownership(arena)
            await _open_all(shared.audio_log, streams)
            for slot in ownership.waiting():
                ownership.assign(slot, 0)
            found = Carrier(shared.audio_log, shared.results, start(str(arena.fd), arena.fds), ())
            await ready(found.recognizer)
            yield found
            await shared.audio_log.close()
            return
        redis = servers.enter_context(RedisServer())
        link = await servers.enter_async_context(linked(redis.url))
        if way == "redis":
            side, where, pids = GatewaySide.of(link, "gateway", time.monotonic, max_lead=LEAD), redis.url, [redis.pid]
        else:
            broker = servers.enter_context(kafka_server(java=HEAP))
            options = KafkaOptions(brokers=broker.address)
            cluster = Cluster(options)
            await cluster.check()
            servers.callback(cluster.close)
            side = await servers.enter_async_context(gateway_side(link, options, "gateway", time.monotonic, max_lead=LEAD))
            where, pids = f"{redis.url} {broker.address}", [redis.pid, broker.pid]
        hearing = asyncio.create_task(side.inbox.run())
        await side.inbox.listening.wait()
        found = Carrier(side.audio_log, side.results, start(where), pids)
        await ready(found.recognizer)
        await _open_all(side.audio_log, streams)
        yield found
        hearing.cancel()
        await asyncio.wait([hearing])


def _end(recognizer: subprocess.Popen[str]) -> None:
    """Leave none behind where a measurement failed."""
    with recognizer:
        recognizer.kill()


async def _open_all(audio_log: AudioLog, streams: int) -> None:
    for name in sessions(streams):
        await audio_log.append(Opened(name, "trace", Checkpoint(config=SessionConfig())))


# --- the recognizer's end ---


async def receive(way: str, where: str, recognize: Callable[[AudioLog, ResultBus], Awaitable[None]]) -> None:
    """Be the recognizer: say that it is there, ``recognize``, then say what CPU it took."""
    if way == "shared":
        shared = WorkerSide.of(Arena.attach(int(where)), 0, "bench")
        print("ready", flush=True)
        await recognize(shared.audio_log, shared.results)
    else:
        url, _, brokers = where.partition(" ")
        async with linked(url) as link, _side_of(link, brokers) as side:
            holding = asyncio.create_task(side.tenure.run())
            recognizing = asyncio.ensure_future(recognize(side.audio_log, side.results))
            while not side.tenure.settled:  # noqa: ASYNC110 - Kafka makes it so
                await asyncio.sleep(0.01)
            print("ready", flush=True)
            await recognizing
            holding.cancel()
            await asyncio.wait([holding])
    print(json.dumps({"cpu": time.process_time()}))


@asynccontextmanager
async def linked(url: str) -> AsyncIterator[Link]:
    """A way to it."""
    link = Link(RedisOptions(url=url, lease=10.0))
    try:
        yield link
    finally:
        await link.close()


@asynccontextmanager
async def _side_of(link: Link, brokers: str) -> AsyncIterator[RecognizerSide]:
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
