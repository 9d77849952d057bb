"""Twice as many want to speak as there is room for: do those who were let in notice, and what are the others told?

First as many speak as the server is rated for, by its places, then twice as many come. Who is refused comes again when it was
told to. Nobody who was let in may lose anything: their finals must be those of a run in which nothing happens::

    python -m bench.overload --rated 40 --seconds 60 --json out.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from websockets.exceptions import InvalidStatus

from bench.audio import Profile, pool, recordings, turned
from bench.latency import Schedule, Spread, spread
from bench.machine import Meter, as_text, describe
from bench.server import Server, own_server
from bench.speakers import ENDPOINT_SILENCE, Speaker, difference, undisturbed
from bench.speakers import Final as Said
from starling.client.pacing import CHUNK
from starling.core.audio import SAMPLE_RATE, Samples, samples
from starling.core.errors import Overloaded, StarlingError
from starling.engine.scripted import ScriptedEngine
from starling.protocols.native.messages import Result

OPENING: Final = 2.0
"""Seconds over which all come."""

SHORTEST: Final = 5.0
"""Seconds that somebody must have left to speak to come again."""


@dataclass(slots=True)
class Outcome:
    """What came of one phase. ``refusals``: by their gates; ``unexplained``: those without a reason or a time to come back.

    ``wrong``, ``failed``: sessions that were let in and whose finals differ, or that ended with an error. ``late``: by how much
    each final was.
    """

    wanted: int
    admitted: int = 0
    finals: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    unexplained: int = 0
    wrong: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    spoken: list[tuple[Samples, list[Said]]] = field(default_factory=list)

    @property
    def lateness(self) -> Spread:
        return spread(self.late)


async def come(server: Server, sound: Samples, began: float, outcome: Outcome) -> None:
    """Speak what is left of ``sound`` once there is room."""
    over = began + len(sound) / SAMPLE_RATE
    while over - began > SHORTEST:
        spoken = sound[: samples(over - began)]
        speaker = Speaker(spoken, began)
        try:
            finals = await speaker.speak(server.url)
        except Overloaded as refused:
            note_refusal(refused, outcome)
            began = time.monotonic() + refused.retry_after
            continue
        except StarlingError as error:
            outcome.failed.append(error.message)
            return
        outcome.admitted += 1
        outcome.spoken.append((spoken, finals))
        outcome.late += latenesses(speaker)
        return


def note_refusal(refused: Overloaded, outcome: Outcome) -> None:
    """Count why, and whether the answer itself said when to come again."""
    answer = refused.__context__
    if not isinstance(answer, InvalidStatus):  # inside of the connection, where the error says it
        outcome.refusals["inside"] += 1
        return
    try:
        error = json.loads(answer.response.body or b"{}")["error"]
        outcome.refusals[error["message"]] += 1
        explained = bool(error["code"]) and float(answer.response.headers["Retry-After"]) >= 0
    except (KeyError, ValueError):
        explained = False
    outcome.unexplained += not explained


def latenesses(speaker: Speaker) -> list[float]:
    """By how much each final came later than its endpoint's silence was over."""
    schedule = Schedule(speaker.began, CHUNK, len(speaker.sound))
    return [
        at - schedule.due(samples(one.end) + samples(ENDPOINT_SILENCE))
        for at, one in speaker.heard
        if isinstance(one, Result) and one.is_final
    ]


async def phase(server: Server, sounds: Sequence[Samples]) -> Outcome:
    """All come within a moment."""
    outcome, began = Outcome(len(sounds)), time.monotonic() + 0.5
    async with asyncio.TaskGroup() as speakers:
        for number, sound in enumerate(sounds):
            speakers.create_task(come(server, sound, began + OPENING * number / len(sounds), outcome))
    return outcome


def judge(outcome: Outcome) -> None:
    """Compare what was said with what would have been."""
    expected = undisturbed([sound for sound, _ in outcome.spoken], ScriptedEngine())
    for number, ((_, finals), wanted) in enumerate(zip(outcome.spoken, expected, strict=True)):
        outcome.finals += len(finals)
        if finals != wanted:
            outcome.wrong.append(f"session {number}: {difference(finals, wanted)}")


async def measure(arguments: argparse.Namespace) -> int:
    """Print what came of both phases; 0 if nobody who was let in lost anything, and everybody else was told why."""
    machine = await describe()
    print(as_text(machine), end="\n\n")
    speech = pool(Profile.READ, recordings(None))
    settings = ["STARLING_ENGINE__NAME=scripted", "STARLING_LIMITS__OPENS_PER_MINUTE=1000000"]
    settings += [f"STARLING_SERVER__MAX_SESSIONS={arguments.rated}", *arguments.set]
    outcomes = {}
    async with own_server(settings=settings, workers=arguments.workers) as server:
        for name, times in (("rated", 1), ("twice", 2)):
            sounds = [turned(speech, number, seconds=arguments.seconds) for number in range(times * arguments.rated)]
            meter = Meter(server.pid, time.monotonic())
            outcomes[name] = await phase(server, sounds)
            usage = meter.stop(time.monotonic())
            print(
                f"{name}: {usage.server:.2f} cores the server, {usage.generator:.2f} the clients, {usage.others:.2f} others",
                flush=True,
            )
            await asyncio.sleep(2)
    for name, outcome in outcomes.items():
        judge(outcome)
        late = outcome.lateness
        print(
            f"{name:6} {outcome.wanted} came, {outcome.admitted} were let in, {len(outcome.failed)} of them failed, "
            f"{len(outcome.wrong)} transcripts changed; finals late by P50 {late.p50} ms, P95 {late.p95} ms of {late.count}; "
            f"{outcome.refusals.total()} refusals, {outcome.unexplained} without a reason or Retry-After"
        )
        for reason, count in outcome.refusals.most_common(5):
            print(f"       {count:6} {reason}")
        for line in [*outcome.wrong, *outcome.failed]:
            print(f"       {line}")
    if arguments.json:
        told = {name: {**asdict(outcome), "spoken": None} for name, outcome in outcomes.items()}
        arguments.json.write_text(json.dumps({"machine": asdict(machine), **told}, indent=1))
    return int(any(outcome.wrong or outcome.failed or outcome.unexplained for outcome in outcomes.values()))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rated", type=int, default=40, help="who speak at once in the first phase (default: 40)")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each phase lasts (default: 60)")
    parser.add_argument("--workers", type=int, default=2, help="recognizer processes (default: 2)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="environment variable of the server")
    parser.add_argument("--json", type=Path, help="write the results here")
    raise SystemExit(asyncio.run(measure(parser.parse_args())))


if __name__ == "__main__":
    main()
