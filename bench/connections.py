"""What does a connection cost that says nothing? A server with some people speaking, without and with a crowd beside them.

Nobody recognises: the question is the gateway's; with ``--workers`` it is that of a whole server with so many recognizers. CPU is
process time, so that other work on the machine does not count; memory is resident. ::

    python -m bench.connections --idle 3000 --active 20 --json out.json
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import numpy as np
from websockets.frames import Frame, Opcode

from bench.machine import as_text, cpu_seconds, describe, family, resident_mb
from bench.server import Server, own_server
from starling.cli.eventloop import run

CHUNK: Final = 1_600
"""Samples that who speaks sends at once: 100 ms."""

AT_ONCE: Final = 50
"""Connections that open at the same time."""

SETTINGS: Final = (
    "STARLING_AUTH__MODE=open",
    "STARLING_SERVER__MAX_SESSIONS=20000",
    "STARLING_SERVER__MAX_SESSIONS_PER_ADDRESS=20000",
    "STARLING_SERVER__MAX_CONNECTIONS=20000",
    "STARLING_SERVER__IDLE_TIMEOUT=3600",
    "STARLING_LIMITS__OPENS_PER_MINUTE=1000000",
)


class Refused(Exception):
    """There is no room now."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What the server used. ``cores``: CPU seconds per second, of all its processes. ``files``: open descriptors."""

    cores: float
    memory_mb: float
    files: int


@dataclass(frozen=True, slots=True)
class Found:
    """The same server without a crowd, with it, and after it has left."""

    idle: int
    active: int
    alone: Cost
    crowded: Cost
    after: Cost

    @property
    def microseconds(self) -> float:
        """CPU of one idle connection per second."""
        return 1e6 * (self.crowded.cores - self.alone.cores) / self.idle

    @property
    def kilobytes(self) -> float:
        """Resident memory of one idle connection."""
        return 1024 * (self.crowded.memory_mb - self.alone.memory_mb) / self.idle


async def measure(server: Server, *, idle: int, active: int, seconds: float) -> Found:
    """Look at ``server`` for ``seconds`` each: with ``active`` speakers alone, with ``idle`` sessions beside them, and after."""
    async with asyncio.TaskGroup() as speakers:
        over = asyncio.Event()
        for number in range(active):
            speakers.create_task(_speak(server, number, over))
        try:
            await asyncio.sleep(1)
            alone = await _cost(server, seconds)
            async with _crowd(server, idle):
                crowded = await _cost(server, seconds)
            await asyncio.sleep(1)
            after = await _cost(server, seconds)
        finally:
            over.set()
    return Found(idle=idle, active=active, alone=alone, crowded=crowded, after=after)


async def _cost(server: Server, seconds: float) -> Cost:
    began, used = time.monotonic(), cpu_seconds(server.pid)
    await asyncio.sleep(seconds)
    cores = (cpu_seconds(server.pid) - used) / (time.monotonic() - began)
    files = sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in family(server.pid))  # noqa: ASYNC240 - not a disk
    return Cost(cores=cores, memory_mb=resident_mb(server.pid), files=files)


@asynccontextmanager
async def _crowd(server: Server, size: int) -> AsyncIterator[None]:
    """``size`` sessions that were opened and say nothing."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def open_one() -> asyncio.StreamWriter:
        async with turns:
            while True:
                try:
                    _, writer = await open_session(server)
                except Refused:
                    await asyncio.sleep(1.0)  # they may all begin to speak, and are let in as it turns out that they do not
                else:
                    return writer

    writers = await asyncio.gather(*(open_one() for _ in range(size)))
    try:
        yield
    finally:
        for writer in writers:
            writer.transport.abort()


async def _speak(server: Server, number: int, over: asyncio.Event) -> None:
    """Faint noise in real time, until it is over."""
    reader, writer = await open_session(server)
    noise = np.random.default_rng(number).integers(-4, 5, CHUNK, dtype=np.int16).tobytes()
    due = time.monotonic() + number * 0.1 / 20
    hearing = asyncio.create_task(reader.read(-1))
    while not over.is_set():
        writer.write(Frame(Opcode.BINARY, noise).serialize(mask=True))
        due += CHUNK / 16_000
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    writer.transport.abort()
    hearing.cancel()


async def open_session(server: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """An open session, by as little as it takes: the client's own costs are no question. Raises Refused, RuntimeError."""
    where = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port, limit=4096)
    key = base64.b64encode(bytes(16)).decode()
    writer.write(
        (
            f"GET /v1/stream HTTP/1.1\r\nHost: {where.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 503 " in head:
        writer.transport.abort()
        raise Refused
    if b" 101 " not in head:
        raise RuntimeError(f"refused: {head + await reader.read(1000)!r}")
    writer.write(Frame(Opcode.TEXT, b'{"type":"start"}').serialize(mask=True))
    await reader.readuntil(b"}")
    return reader, writer


async def report(arguments: argparse.Namespace) -> None:
    """Measure an own server, print what came of it, write what was asked for."""
    machine = await describe()
    print(as_text(machine), end="\n\n")
    module, workers = (("starling",), arguments.workers) if arguments.workers else (("bench.edge",), None)
    async with own_server(settings=[*SETTINGS, *arguments.set], workers=workers, module=module) as server:
        found = await measure(server, idle=arguments.idle, active=arguments.active, seconds=arguments.seconds)
    for name, cost in (("alone", found.alone), ("with the crowd", found.crowded), ("after it", found.after)):
        print(f"{name:15} {cost.cores:6.3f} cores  {cost.memory_mb:7.1f} MiB  {cost.files:6} files")
    print(f"one idle session: {found.microseconds:.1f} us of CPU a second, {found.kilobytes:.1f} KiB")
    if arguments.json:
        result = {"machine": asdict(machine), "us": found.microseconds, "kib": found.kilobytes, **asdict(found)}
        arguments.json.write_text(json.dumps(result, indent=1))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--idle", type=int, default=3000, help="sessions that say nothing (default: 3000)")
    parser.add_argument("--active", type=int, default=20, help="sessions that speak (default: 20)")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to look each time (default: 10)")
    parser.add_argument("--workers", type=int, help="a whole server with so many recognizers; default: a gateway alone")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a variable of the server's")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    run(report(parser.parse_args()))


if __name__ == "__main__":
    main()
