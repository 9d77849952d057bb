"""How long does it take until another recognizer has the sessions of one whose network is cut?

Each process is on a host of its own, which is a network namespace (root, iproute2). A recognizer is cut off for ten seconds while
people speak, by its link or in silence; what counts is the time until the other one has all partitions, and until it says the
first of each session that was the other's, how many partitions the one that was cut off hears that it has no more, and whether
anybody's finals change. On Kafka it is tried with the brokers' own least session timeout, and with one of 1.5 s::

    python -m bench.parted --rounds 3
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from bench.audio import Profile, pool, recordings, turned
from bench.hosts import PARTITIONS, Cut, NotPermitted, parted, wired
from bench.latency import spread
from bench.machine import Meter, as_text, describe
from bench.speakers import Final as Said
from bench.speakers import Speaker, judge, undisturbed
from starling.bus.partitions import partition_of
from starling.core.audio import Samples
from starling.engine.scripted import ScriptedEngine

SPOKEN: Final = 30.0
"""Seconds for which each session speaks."""

AWAY: Final = 10.0
"""Seconds for which a recognizer is cut off."""

LEAST: Final = 1.0
"""Seconds for which nobody takes over: of a lease of 1.5 s there is more left, whenever it was renewed, and Kafka is slower. What
comes sooner was said before the cut.
"""

WAYS: Final = (
    ("redis", False, ()),
    ("kafka", True, ()),
    ("kafka, 1.5 s", True, ("group.min.session.timeout.ms=1500",)),
)
"""What is between the roles, and settings of the broker."""


@dataclass(slots=True)
class Outcome:
    """Of one way and cut. ``taken``: seconds until the other recognizer had all; ``first``: until its first result of each
    session that it took over; ``fenced``: partitions that the one cut off had when it was told that they are another's;
    ``late``: the latest final of any session.
    """

    taken: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    fenced: list[int] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    finals: int = 0
    wrong: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


async def part(
    how: Cut,
    sounds: Sequence[Samples],
    expected: Sequence[list[Said]],
    outcome: Outcome,
    *,
    kafka: bool,
    broker: tuple[str, ...],
) -> None:
    """Cut once."""
    with wired() as network:
        async with parted(network, kafka=kafka, broker=broker) as server:
            began = time.monotonic() + 0.5
            speakers = [Speaker(sound, began) for sound in sounds]
            talking = asyncio.gather(*(speaker.speak(server.roles.url) for speaker in speakers), return_exceptions=True)
            await server.speaking(len(sounds))
            held = {*(await server.cut_off.status())["bus"]["held"]}
            with server.cut(how):
                at = time.monotonic()  # from here on nothing comes from there
                await server.taken_over()
                outcome.taken.append(time.monotonic() - at)
                await asyncio.sleep(at + AWAY - time.monotonic())
            verdict = judge(await talking, expected)
            concerned = [it for it in speakers if it.session_id and partition_of(it.session_id, PARTITIONS) in held]
            outcome.first += [first for it in concerned if (first := it.first_after(at, LEAST)) is not None]
            await server.roles.until_shared(PARTITIONS // 2, PARTITIONS // 2)
            outcome.fenced.append(server.cut_off.said("partition lost"))
    outcome.late.append(max(speaker.lateness(at, began + SPOKEN) for speaker in speakers))
    outcome.finals += verdict.finals
    outcome.wrong += verdict.wrong
    outcome.failed += verdict.failed


async def measure(arguments: argparse.Namespace) -> int:
    """All ways and cuts in turn; 0 if nobody's transcript changed."""
    machine = await describe()
    print(as_text(machine), end="\n\n")
    speech = pool(Profile.READ, recordings(None))
    sounds = [turned(speech, number, seconds=SPOKEN) for number in range(arguments.sessions)]
    expected = await asyncio.to_thread(undisturbed, sounds, ScriptedEngine())
    found: dict[str, Outcome] = {}
    meter = Meter(os.getpid(), time.monotonic())
    try:
        for _ in range(arguments.rounds):
            for name, kafka, broker in WAYS:
                if arguments.way and name not in arguments.way:
                    continue
                for how in Cut:
                    outcome = found.setdefault(f"{name}: {how}", Outcome())
                    await part(how, sounds, expected, outcome, kafka=kafka, broker=broker)
    except NotPermitted as reason:
        raise SystemExit(str(reason)) from None
    usage = meter.stop(time.monotonic())
    for name, it in found.items():
        taken, first, late = spread(it.taken), spread(it.first), spread(it.late)
        print(f"{name:24} taken over after P50 {taken.p50} ms, at most {max(it.taken):.2f} s; final late by P50 {late.p50} ms")
        print(
            f"{'':24} first result of the heir after P50 {first.p50} ms, P95 {first.p95} ms, of {first.count} sessions taken over"
        )
        print(f"{'':24} fenced: {it.fenced} partitions at each cut, of {PARTITIONS // 2}")
        print(f"{'':24} {it.finals} finals, {len(it.wrong)} transcripts changed, {len(it.failed)} sessions failed")
    if arguments.json:
        about = {"machine": asdict(machine), "sessions": len(sounds), "usage": asdict(usage)}
        arguments.json.write_text(json.dumps({**about, "ways": {name: asdict(it) for name, it in found.items()}}, indent=1))
    return 1 if any(it.wrong or it.failed for it in found.values()) else 0


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=8, help="who speak at once (default: 8)")
    parser.add_argument("--rounds", type=int, default=3, help="of each way and cut (default: 3)")
    parser.add_argument("--way", choices=[name for name, *_ in WAYS], action="append", help="only this one (default: all)")
    parser.add_argument("--json", type=Path, help="write the results here")
    raise SystemExit(asyncio.run(measure(parser.parse_args())))


if __name__ == "__main__":
    main()
