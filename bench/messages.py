"""What does one message of audio cost at the gateway? Many of them, in process time, which others on the machine hardly move.

A gateway alone (``bench.edge``): socket, WebSocket, limits, decoding, gate, log; nobody recognises. People speak ten times as
fast as they can, in messages of 100 ms, so that it does not take long. ::

    python -m bench.messages --streams 16 --rounds 1000
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from dataclasses import asdict
from pathlib import Path

from websockets.frames import Frame, Opcode

from bench.audio import Profile, pool, recordings, turned
from bench.connections import SETTINGS, open_session
from bench.machine import as_text, cpu_seconds, describe
from bench.server import Server, own_server
from starling.cli.eventloop import run
from starling.core.audio import SAMPLE_RATE, Samples

CHUNK = SAMPLE_RATE // 10
HASTE = 10.0


async def measure(server: Server, audio: Samples, streams: int, rounds: int) -> float:
    """Microseconds of CPU that ``server`` takes for one message, of ``rounds`` from each of ``streams`` sessions."""
    sessions = [await open_session(server) for _ in range(streams)]
    drains = [asyncio.create_task(reader.read(-1)) for reader, _ in sessions]
    sounds = [turned(audio, number, seconds=rounds * 0.1) for number in range(streams)]
    await asyncio.sleep(0.5)
    used, due = cpu_seconds(server.pid), time.monotonic()
    for start in range(0, rounds * CHUNK, CHUNK):
        for number, (_, writer) in enumerate(sessions):
            pcm = sounds[number][start : start + CHUNK].tobytes()
            writer.write(Frame(Opcode.BINARY, pcm).serialize(mask=True))
            due += 0.1 / HASTE / streams
            await asyncio.sleep(max(0.0, due - time.monotonic()))
    await asyncio.sleep(0.5)
    used = cpu_seconds(server.pid) - used
    for drain in drains:
        drain.cancel()
    for _, writer in sessions:
        writer.transport.abort()
    return 1e6 * used / (rounds * streams)


async def report(arguments: argparse.Namespace) -> None:
    """Measure an own server, print what came of it, write what was asked for."""
    machine = await describe()
    print(as_text(machine), end="\n\n")
    audio = pool(arguments.profile, recordings(None))
    found: list[float] = []
    async with own_server(settings=[*SETTINGS, *arguments.set], module=("bench.edge",)) as server:
        for _ in range(arguments.times):
            found.append(await measure(server, audio, arguments.streams, arguments.rounds))
            print(f"{found[-1]:6.1f} us of CPU a message", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": asdict(machine), "us": min(found), "all": found}, indent=1))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", type=Profile, choices=list(Profile), default=Profile.READ, help="see bench/audio.py")
    parser.add_argument("--streams", type=int, default=16, help="sessions (default: 16)")
    parser.add_argument("--rounds", type=int, default=500, help="messages of each (default: 500)")
    parser.add_argument("--times", type=int, default=3, help="how often to measure (default: 3)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a variable of the server's")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    run(report(parser.parse_args()))


if __name__ == "__main__":
    main()
