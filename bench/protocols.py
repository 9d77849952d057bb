"""What each protocol costs the server beside its own: the same speakers by turns, in one run.

python -m bench.protocols --streams 8 --rounds 3 --json bench/results/protocols.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from bench.machine import as_text, describe
from bench.server import own_server
from starling.cli.bench import default_recordings
from starling.cli.eventloop import run
from starling.client.load.line import Place
from starling.client.load.running import NATIVE, Load, compare
from starling.protocols.registry import DIALECTS

READY: Final = 60.0
"""Seconds until recognition is ready, after the server listens."""


async def measure(arguments: argparse.Namespace) -> None:
    """All protocols against a server of their own; print, and write what was asked for."""
    machine = await describe()
    print(as_text(machine), end="\n\n")
    names = arguments.protocol or [dialect.name for dialect in DIALECTS]
    ports = {dialect.name: free_port() for dialect in DIALECTS if dialect.port is not None and dialect.name in names}
    entries = [f"{name}:{ports[name]}" if name in ports else name for name in names]
    speaking = f"STARLING_SERVER__PROTOCOLS={','.join(entries)}"
    async with own_server(settings=[speaking, *arguments.set], workers=1) as server:
        main = Place(host="127.0.0.1", port=urlsplit(server.url).port or 0)
        await ready(main)
        places = {name: Place(host=main.host, port=ports.get(name, main.port)) for name in (NATIVE, *names)}
        load = Load(recordings=default_recordings(), streams=arguments.streams, seconds=arguments.seconds)
        outcomes = await compare(places, load, main=main, rounds=arguments.rounds, told=print)
    native = outcomes[NATIVE]
    for name, outcome in outcomes.items():
        found = outcome.as_json()
        print(f"{name:16} {found['cpu_per_stream']} {found['cpu_by_role']} first {found['first']} final {found['final']}")
    if arguments.json:
        result: dict[str, Any] = {
            "machine": asdict(machine),
            "settings": arguments.set,
            "streams": load.streams,
            "rounds": arguments.rounds,
            "edge": {name: _beside(outcome.cost("gateway"), native.cost("gateway")) for name, outcome in outcomes.items()},
            "protocols": {name: outcome.as_json() for name, outcome in outcomes.items()},
        }
        arguments.json.write_text(json.dumps(result, indent=1))


def _beside(cost: float | None, native: float | None) -> float | None:
    return None if cost is None or not native else cost / native


async def ready(main: Place) -> None:
    """Wait until the server takes sessions."""
    async with asyncio.timeout(READY):
        while True:
            reader, writer = await asyncio.open_connection(main.host, main.port)
            writer.write(f"GET /readyz HTTP/1.1\r\nHost: {main.authority}\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
            if answer.startswith(b"HTTP/1.1 200"):
                return
            await asyncio.sleep(0.2)


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--protocol", action="append", metavar="NAME", help="only these beside Starling's own")
    parser.add_argument("--streams", type=int, default=8, help="speakers at once (default: 8)")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long each speaks in a round (default: 30)")
    parser.add_argument("--rounds", type=int, default=3, help="how often (default: 3)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="environment variable of the server")
    parser.add_argument("--json", type=Path, help="write the results here")
    run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
