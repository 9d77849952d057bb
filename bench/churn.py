"""Is anything left behind by sessions that are over? Many short ones, one after the other, through a server of real processes.

Each says a word, gets its final and leaves. After the first thousand and after the last, when all is quiet, every process is
looked at: resident memory, threads, and file descriptors, which all shared memory of the platform is held by::

    python -m bench.churn --sessions 10000 --workers 2 --json out.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from websockets.frames import Frame, Opcode

from bench.audio import Profile, pool, recordings
from bench.connections import Refused, open_session
from bench.machine import as_text, describe, family
from bench.server import Server, own_server
from starling.cli.eventloop import run

SETTINGS: Final = (
    "STARLING_AUTH__MODE=open",
    "STARLING_ENGINE__NAME=scripted",
    "STARLING_LIMITS__OPENS_PER_MINUTE=1000000",
)

BEFORE: Final = 1_000
"""Sessions after which memory may grow no more: whatever is made once was made by then."""

QUIET: Final = 3.0
"""Seconds without sessions before anybody looks."""

SPOKEN: Final = slice(16_000, 35_200)
"""Samples of the recording that each session says: in the first second nobody speaks yet."""

PATIENCE: Final = 60.0
"""Seconds that one session may take."""


@dataclass(frozen=True, slots=True)
class Held:
    """What one process holds. ``resident_kb``: its memory, what it shares with others included; ``private_kb``: without that."""

    resident_kb: int
    private_kb: int
    files: int
    threads: int


@dataclass(slots=True)
class Look:
    """All processes of a server, by their names, after so many sessions."""

    sessions: int
    held: Mapping[str, Held]


def look(server: Server, sessions: int) -> Look:
    """What the processes of ``server`` hold now."""
    held = {}
    for pid in family(server.pid):
        proc = Path(f"/proc/{pid}")
        facts = dict(line.split(":", 1) for line in (proc / "smaps_rollup").read_text().splitlines()[1:])
        kb = {name: int(value.split()[0]) for name, value in facts.items()}
        name = (proc / "comm").read_text().strip()
        held[f"{name} ({pid})" if name in held else name] = Held(
            resident_kb=kb["Rss"],
            private_kb=kb["Private_Dirty"] + kb["Private_Clean"],
            files=len(list((proc / "fd").iterdir())),
            threads=len(list((proc / "task").iterdir())),
        )
    return Look(sessions, held)


async def one(server: Server, spoken: bytes) -> None:
    """One session, from its upgrade to its last message. Raises RuntimeError if that is none."""
    while True:
        try:
            reader, writer = await open_session(server)
            break
        except Refused:
            await asyncio.sleep(0.5)
    writer.write(Frame(Opcode.BINARY, spoken).serialize(mask=True))
    writer.write(Frame(Opcode.TEXT, b'{"type":"end"}').serialize(mask=True))
    heard = await reader.readuntil(b'"done"')
    writer.write(Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=True))
    await writer.drain()
    writer.close()
    if b'"is_final":true' not in heard:
        raise RuntimeError(f"expected a final before done, got {heard!r}")


async def churn(server: Server, sessions: int, at_once: int, spoken: bytes) -> int:
    """So many sessions, ``at_once`` at any time; how many failed."""
    left, failed = sessions, 0

    async def place() -> None:
        nonlocal left, failed
        while left > 0:
            left -= 1
            try:
                async with asyncio.timeout(PATIENCE):
                    await one(server, spoken)
            except (OSError, RuntimeError, asyncio.IncompleteReadError, TimeoutError) as error:
                failed += 1
                print(f"a session failed: {error!r}", flush=True)

    await asyncio.gather(*(place() for _ in range(at_once)))
    return failed


async def measure(arguments: argparse.Namespace) -> int:
    """Print what is held before and after; 0 if that is the same within one percent."""
    machine = await describe()
    print(as_text(machine), end="\n\n")
    spoken = pool(Profile.READ, recordings(None))[SPOKEN].tobytes()
    async with own_server(settings=[*SETTINGS, *arguments.set], workers=arguments.workers) as server:
        began = time.monotonic()
        failed = await churn(server, BEFORE, arguments.at_once, spoken)
        await asyncio.sleep(QUIET)
        looks = [look(server, BEFORE)]
        while looks[-1].sessions < arguments.sessions:
            more = min(BEFORE, arguments.sessions - looks[-1].sessions)
            failed += await churn(server, more, arguments.at_once, spoken)
            await asyncio.sleep(QUIET)
            looks.append(look(server, looks[-1].sessions + more))
            print(_line(looks[-1], time.monotonic() - began), flush=True)
    before, after = looks[0], looks[-1]
    grown = {name: 100 * (held.resident_kb / before.held[name].resident_kb - 1) for name, held in after.held.items()}
    for name, held in after.held.items():
        was = before.held[name]
        print(
            f"{name:16} {was.resident_kb / 1024:7.1f} -> {held.resident_kb / 1024:7.1f} MiB ({grown[name]:+.2f} %), of its own "
            f"{was.private_kb / 1024:6.1f} -> {held.private_kb / 1024:6.1f}, files {was.files} -> {held.files}, "
            f"threads {was.threads} -> {held.threads}"
        )
    print(f"{after.sessions} sessions, {failed} failed")
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": asdict(machine), "looks": [asdict(one) for one in looks]}, indent=1))
    same = all(
        held.files <= before.held[name].files and held.threads <= before.held[name].threads and grown[name] <= 1
        for name, held in after.held.items()
    )
    return 0 if same and not failed else 1


def _line(seen: Look, seconds: float) -> str:
    sizes = "  ".join(f"{name} {held.resident_kb / 1024:.1f}" for name, held in seen.held.items())
    return f"{seconds:6.0f} s  {seen.sessions:6} sessions  {sizes}"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=10_000, help="in all (default: 10000)")
    parser.add_argument("--at-once", type=int, default=16, help="at any time (default: 16)")
    parser.add_argument("--workers", type=int, default=2, help="recognizer processes (default: 2)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="environment variable of the server")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    raise SystemExit(run(measure(parser.parse_args())))


if __name__ == "__main__":
    main()
