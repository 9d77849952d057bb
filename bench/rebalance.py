"""Recognizers join and leave while people speak: is anything lost, and how long does nobody hear anything?

Forty sessions on one recognizer; after a while there are three, then two, because one is told to end, then three again, and two
because one is killed. Every final must be that of a run in which nothing happened::

    python -m bench.rebalance --bus kafka --sessions 40

A session's pause is the longest time for which its captions were late after a move, beyond what silence and cadence explain; that
of the same length without a move stands beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from bench.audio import Profile, pool, recordings, turned
from bench.hosts import Bus, Hosts, hosts
from bench.latency import Spread, spread
from bench.machine import Meter, as_text, describe
from bench.speakers import Speaker, judge, undisturbed
from starling.engine.scripted import ScriptedEngine

OPENING: Final = 3.0
"""Seconds over which the sessions begin."""

SPOKEN: Final = 15.0
"""Seconds between two moves, and before the first and after the last one."""

PATIENCE: Final = 10.0
"""Seconds for which a session that is told to come again does so."""

PARTITIONS: Final = 16
"""Of the audio log."""

NOTHING: Final = "nothing"
JOIN: Final = "join"
END: Final = "end"
KILL: Final = "kill"

MOVES: Final = ((JOIN, 3), (END, 2), (JOIN, 3), (KILL, 2))
"""What happens, and how many recognizers there are then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One change. ``at``: seconds after all sessions had begun; ``settled``: until partitions were shared again, in seconds.

    ``pauses``: of each session, in seconds.
    """

    name: str
    at: float
    settled: float
    pauses: tuple[float, ...] = ()

    @property
    def pause(self) -> Spread:
        """Over all sessions."""
        return spread(self.pauses)


async def moves(platform: Hosts, began: float) -> list[Move]:
    """One to three, to two by a good end, to three again, to two by a bad one."""
    roles, found = platform.roles, []

    async def move(name: str, number: int) -> None:
        at = time.monotonic()
        print(f"{at - began:6.1f} s  {name}", flush=True)
        if name == JOIN:
            alive = sum(role.process.returncode is None for role in roles.recognizers)
            await asyncio.gather(*(roles.recognizer() for _ in range(number - alive)))
        else:
            victim = next(role for role in roles.recognizers if role.process.returncode is None)
            await victim.end(signal.SIGTERM if name == END else signal.SIGKILL)
        each, over = divmod(PARTITIONS, number)
        await roles.until_shared(*(each + (index < over) for index in range(number)))
        found.append(Move(name=name, at=at - began, settled=time.monotonic() - at))

    for turn, (name, number) in enumerate(MOVES, 1):
        await asyncio.sleep(began + turn * SPOKEN - time.monotonic())
        await move(name, number)
    return found


async def measure(arguments: argparse.Namespace) -> int:
    """Let them come and go; 0 if nobody's transcript changed."""
    machine = await describe()
    print(as_text(machine), end="\n\n")
    length = (len(MOVES) + 1) * SPOKEN
    speech = pool(Profile.READ, recordings(None))
    sounds = [turned(speech, number, seconds=length) for number in range(arguments.sessions)]
    expected = await asyncio.to_thread(undisturbed, sounds, ScriptedEngine())
    settings = ["STARLING_ENGINE__NAME=scripted", f"STARLING_BUS__PARTITIONS={PARTITIONS}", *arguments.set]
    meter = Meter(os.getpid(), time.monotonic())
    async with hosts(
        arguments.bus, gateways=1, recognizers=1, settings=settings, broker_settings=arguments.broker_set
    ) as platform:
        began = time.monotonic() + OPENING + 1.0
        speakers = [Speaker(sound, began + (n / len(sounds) - 1.0) * OPENING) for n, sound in enumerate(sounds)]
        talking = asyncio.gather(
            *(speaker.speak(platform.roles.url, patience=PATIENCE) for speaker in speakers), return_exceptions=True
        )
        found = await moves(platform, began)
        said = await talking
    usage = meter.stop(time.monotonic())
    still = Move(name=NOTHING, at=0.0, settled=0.0)
    found = [replace(one, pauses=paused(one, began, speakers)) for one in (still, *found)]
    verdict = judge(said, expected)
    print(
        f"\n{len(sounds)} sessions, {verdict.finals} finals: {len(verdict.wrong)} transcripts changed, "
        f"{len(verdict.failed)} failed, {verdict.refused} were not admitted"
    )
    for one in found:
        print(f"  {one.name:8} shared again after {one.settled:5.2f} s; pause P50 {one.pause.p50} ms, P95 {one.pause.p95} ms")
    for line in [*verdict.wrong, *verdict.failed]:
        print(f"  {line}")
    if arguments.json:
        about = {"machine": asdict(machine), "bus": arguments.bus, "sessions": len(sounds), "usage": asdict(usage)}
        arguments.json.write_text(json.dumps({**about, **asdict(verdict), "moves": [asdict(one) for one in found]}, indent=1))
    return 1 if verdict.wrong or verdict.failed else 0


def paused(move: Move, began: float, speakers: Sequence[Speaker]) -> tuple[float, ...]:
    """Of each session, from the move until the next one."""
    window = began + move.at, began + move.at + SPOKEN
    return tuple(speaker.pause(*window) for speaker in speakers)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bus", type=Bus, choices=[Bus.REDIS, Bus.KAFKA], default=Bus.REDIS, help="default: redis")
    parser.add_argument("--sessions", type=int, default=40, help="who speak at once (default: 40)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="environment variable of all roles")
    parser.add_argument("--broker-set", action="append", default=[], metavar="name=value", help="setting of the Kafka broker")
    parser.add_argument("--json", type=Path, help="write the results here")
    raise SystemExit(asyncio.run(measure(parser.parse_args())))


if __name__ == "__main__":
    main()
