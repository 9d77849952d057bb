"""What shared memory saves: the same sound from one process to another, through the audio log and over a socket.

::

    python -m bench.shared_log --streams 32

Two processes, a sender and a receiver, each with an event loop, pass the same records at the same pace; CPU is that of both. The
ways take turns, so that whatever else the machine does befalls all of them:

* ``log``: the audio log in shared memory, with a checkpoint every two seconds of sound.
* ``relay``: the same promises by bytes, but for those that outlive the sender: a log in the sender's memory, whose follower
  writes to a Unix socket, and checkpoints that come back over it.
* ``bytes``: a Unix socket and nothing else: no replay, no bound, no checkpoints.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from bench.machine import as_text, describe
from starling.bus.memory import MemoryAudioLog
from starling.bus.shared.arena import Arena
from starling.bus.shared.layout import Geometry
from starling.bus.shared.ownership import Ownership
from starling.bus.shared.sides import GatewaySide, WorkerSide
from starling.cli.eventloop import run
from starling.core.audio import SAMPLE_RATE, samples
from starling.core.config import SessionConfig
from starling.core.records import Audio, Checkpoint, Ended, Opened

HEADER: Final = struct.Struct("<HHqqd")
"""Of a record on the socket: stream, samples, sequence, start, when it was sent."""

COMMIT: Final = struct.Struct("<Hq")
"""A checkpoint on the socket: stream, position."""

COMMIT_EVERY: Final = 2 * SAMPLE_RATE
"""Samples between a stream's checkpoints: a short segment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One way's cost. ``cpu``: of both processes, in ms for a second of one stream. ``latency``: median and P95, in ms."""

    cpu: float
    sender: float
    receiver: float
    latency_p50: float
    latency_p95: float


def sessions(streams: int) -> list[str]:
    """Their ids."""
    return [f"session-{stream}" for stream in range(streams)]


# --- the sender ---


async def paced(chunk: int, seconds: float, send: Callable[[int, int], Awaitable[None]]) -> None:
    """Call ``send(sequence, start)`` whenever ``chunk`` more samples would have been spoken."""
    began, count = time.monotonic(), int(samples(seconds) / chunk)
    for sequence in range(count):
        due = began + sequence * chunk / SAMPLE_RATE
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        await send(sequence, sequence * chunk)


async def through_log(streams: int, chunk: int, seconds: float) -> Passage:
    """The log in shared memory."""
    arena = Arena.create(Geometry(slots=streams, workers=1, max_lead=20 * SAMPLE_RATE))
    side, ownership = GatewaySide.of(arena), Ownership(arena)
    receiver = start("log", arena.fd, streams, arena.fds)
    sound = np.zeros(chunk, np.int16)
    for session_id in sessions(streams):
        await side.audio_log.append(Opened(session_id, "trace", Checkpoint(config=SessionConfig())))
    for slot in ownership.waiting():
        ownership.assign(slot, 0)
    names = sessions(streams)

    async def send(sequence: int, start: int) -> None:
        for session_id in names:
            await side.audio_log.append(Audio(session_id, sequence, start, sound, time.monotonic()))

    await ready(receiver)
    used = time.process_time()
    await paced(chunk, seconds, send)
    used = time.process_time() - used
    for session_id in names:
        await side.audio_log.append(Ended(session_id, 1 << 30))
    found = await outcome(receiver, used, streams * seconds)
    await side.audio_log.close()
    return found


async def over_socket(streams: int, chunk: int, seconds: float, *, relay: bool) -> Passage:
    """Bytes, from a log of this process or from nothing."""
    here, there = socket.socketpair()
    receiver = start("relay" if relay else "bytes", there.fileno(), streams, (there.fileno(),))
    there.close()
    reader, writer = await asyncio.open_unix_connection(sock=here)
    audio_log = MemoryAudioLog(max_lead=20 * SAMPLE_RATE)
    names, sound = sessions(streams), np.zeros(chunk, np.int16)
    helpers = []
    if relay:
        for session_id in names:
            await audio_log.append(Opened(session_id, "trace", Checkpoint(config=SessionConfig())))
        numbers = {session_id: stream for stream, session_id in enumerate(names)}
        helpers = [
            asyncio.create_task(pump(audio_log, numbers, writer)),
            asyncio.create_task(take_checkpoints(audio_log, names, reader)),
        ]

    async def send(sequence: int, start: int) -> None:
        for stream, session_id in enumerate(names):
            record = Audio(session_id, sequence, start, sound, time.monotonic())
            if relay:
                await audio_log.append(record)
            else:
                writer.write(packed(stream, record))
                await writer.drain()

    await ready(receiver)
    used = time.process_time()
    await paced(chunk, seconds, send)
    if relay:
        await audio_log.close()
        await helpers[0]
    used = time.process_time() - used
    writer.write_eof()
    found = await outcome(receiver, used, streams * seconds)
    await asyncio.gather(*helpers)
    writer.close()
    return found


def packed(stream: int, record: Audio) -> bytes:
    """A record on the socket."""
    return HEADER.pack(stream, len(record.samples), record.sequence, record.start, record.arrived) + record.samples.tobytes()


async def pump(audio_log: MemoryAudioLog, numbers: Mapping[str, int], writer: asyncio.StreamWriter) -> None:
    """What the log has, to the receiver."""
    async for batch in audio_log.follow():
        for record in batch:
            if isinstance(record, Audio):
                writer.write(packed(numbers[record.session_id], record))
        await writer.drain()


async def take_checkpoints(audio_log: MemoryAudioLog, names: Sequence[str], reader: asyncio.StreamReader) -> None:
    """What the receiver has committed, into the log."""
    with suppress(asyncio.IncompleteReadError):
        while True:
            stream, position = COMMIT.unpack(await reader.readexactly(COMMIT.size))
            await audio_log.commit(names[stream], Checkpoint(config=SessionConfig(), position=position))


def start(way: str, fd: int, streams: int, fds: Sequence[int]) -> subprocess.Popen[str]:
    """The receiver: this module again."""
    command = [sys.executable, "-m", "bench.shared_log", "--receive", way, str(fd), "--streams", str(streams)]
    return subprocess.Popen(command, pass_fds=fds, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own


async def ready(receiver: subprocess.Popen[str]) -> None:
    """Wait until it listens."""
    assert receiver.stdout is not None
    await asyncio.to_thread(receiver.stdout.readline)


async def outcome(receiver: subprocess.Popen[str], used: float, stream_seconds: float) -> Passage:
    """What it says at its end, and what the sender used."""
    told, _ = await asyncio.to_thread(receiver.communicate)
    said = json.loads(told)
    return Passage(
        cpu=1000 * (used + said["cpu"]) / stream_seconds,
        sender=1000 * used / stream_seconds,
        receiver=1000 * said["cpu"] / stream_seconds,
        latency_p50=1000 * said["p50"],
        latency_p95=1000 * said["p95"],
    )


# --- the receiver ---


async def follow_log(fd: int, streams: int) -> list[float]:
    """How late each record was."""
    side = WorkerSide.of(Arena.attach(fd), 0, "bench")
    late: list[float] = []
    committed = dict.fromkeys(sessions(streams), 0)
    left = streams
    async for batch in side.audio_log.follow():
        for record in batch:
            if isinstance(record, Audio):
                late.append(time.monotonic() - record.arrived)
                if record.end - committed[record.session_id] >= COMMIT_EVERY:
                    committed[record.session_id] = record.end
                    checkpoint = Checkpoint(config=SessionConfig(), position=record.end)
                    await side.audio_log.commit(record.session_id, checkpoint)
            elif isinstance(record, Ended):
                await side.audio_log.forget(record.session_id)
                left -= 1
        if not left:
            await side.audio_log.close()
    return late


async def follow_socket(fd: int, streams: int, *, relay: bool) -> list[float]:
    """How late each record was."""
    names, committed = sessions(streams), [0] * streams
    reader, writer = await asyncio.open_unix_connection(sock=socket.socket(fileno=fd))
    late: list[float] = []
    with suppress(asyncio.IncompleteReadError):
        while True:
            stream, count, sequence, begins, sent = HEADER.unpack(await reader.readexactly(HEADER.size))
            sound = np.frombuffer(await reader.readexactly(2 * count), np.int16)
            record = Audio(names[stream], sequence, begins, sound, sent)
            late.append(time.monotonic() - record.arrived)
            if relay and record.end - committed[stream] >= COMMIT_EVERY:
                committed[stream] = record.end
                writer.write(COMMIT.pack(stream, record.end))
    writer.close()
    return late


async def receive(way: str, fd: int, streams: int) -> None:
    """Follow until the sender ends, then say what it took."""
    print("ready", flush=True)
    used = time.process_time()
    late = await (follow_log(fd, streams) if way == "log" else follow_socket(fd, streams, relay=way == "relay"))
    used = time.process_time() - used
    percentiles = statistics.quantiles(late, n=20)
    print(json.dumps({"cpu": used, "p50": statistics.median(late), "p95": percentiles[18], "records": len(late)}))


# --- the comparison ---


async def measure(arguments: argparse.Namespace) -> None:
    """Both ways in turn, ``rounds`` times, and the median of each number."""
    machine = await describe()
    print(as_text(machine), end="\n\n")
    chunk = samples(arguments.chunk_ms / 1000)
    ways: dict[str, Callable[[int, int, float], Awaitable[Passage]]] = {
        "log": through_log,
        "relay": partial(over_socket, relay=True),
        "bytes": partial(over_socket, relay=False),
    }
    found: dict[str, list[Passage]] = {name: [] for name in ways}
    for _ in range(arguments.rounds):
        for name, way in ways.items():
            found[name].append(await way(arguments.streams, chunk, arguments.seconds))
    medians = {name: _median(passages) for name, passages in found.items()}
    print(f"{arguments.streams} streams, records of {arguments.chunk_ms} ms, CPU in ms per second of one stream")
    print(f"{'':8}{'cpu':>8}{'sender':>8}{'receiver':>10}{'p50 ms':>8}{'p95 ms':>8}")
    for name, it in medians.items():
        print(f"{name:8}{it.cpu:8.3f}{it.sender:8.3f}{it.receiver:10.3f}{it.latency_p50:8.2f}{it.latency_p95:8.2f}")
    ratios = {
        name: statistics.median(log.cpu / other.cpu for log, other in zip(found["log"], found[name], strict=True))
        for name in ("relay", "bytes")
    }
    print("CPU of the log: " + ", ".join(f"{ratio:.2f} of {name}'s" for name, ratio in ratios.items()))
    if arguments.json:
        result = {name: asdict(it) for name, it in medians.items()}
        about = {"machine": asdict(machine), "streams": arguments.streams, "chunk_ms": arguments.chunk_ms, "ratios": ratios}
        arguments.json.write_text(json.dumps({**about, **result}, indent=1))


def _median(passages: Sequence[Passage]) -> Passage:
    fields = [asdict(passage) for passage in passages]
    return Passage(**{name: statistics.median(one[name] for one in fields) for name in fields[0]})


def main() -> None:
    """The command line, and that of the receiver it starts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=32, help="sessions that speak at once (default: 32)")
    parser.add_argument("--chunk-ms", type=int, default=20, help="sound in one record, in ms (default: 20)")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each round (default: 5)")
    parser.add_argument("--rounds", type=int, default=3, help="of each way (default: 3)")
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--receive", nargs=2, metavar=("WAY", "FD"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.receive:
        way, fd = arguments.receive
        run(receive(way, int(fd), arguments.streams))
    else:
        run(measure(arguments))


if __name__ == "__main__":
    main()
