"""People speak while processes fail: does anybody's transcript change, and how long does it take to recover?

Every few seconds something bad happens to one process of the platform, drawn by a seed: SIGKILL, SIGSTOP for five seconds, or
more memory than it may have. The supervisor is spared. Connections are cut. Each session's finals must be those of a run in which
nothing happened: none lost, none twice, in order::

    python -m bench.chaos --sessions 60 --seconds 60 --every 3 --seed 7 --json out.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from itertools import pairwise
from pathlib import Path

import numpy as np

from bench.audio import Profile, pool, recordings, turned
from bench.latency import Schedule, Spread, spread
from bench.machine import Meter, as_text, describe, family
from bench.server import Server, own_server
from starling import Recognizer
from starling.client import connect
from starling.client.conversation import converse
from starling.client.line import Link
from starling.client.pacing import CHUNK
from starling.client.session import Session
from starling.core.audio import SAMPLE_RATE, Samples, samples, seconds
from starling.core.errors import Overloaded, StarlingError
from starling.core.ports import Engine
from starling.engine.scripted import ScriptedEngine
from starling.protocols.native.messages import Result, ServerMessage
from starling.scheduler.planner import SHORTEST_RETRY

STOPPED_FOR = 5.0
"""Seconds after which a process that was stopped goes on, if it is still there."""

BALLAST = "bench.ballast"
"""``python -m`` of a server whose processes take too much memory at SIGUSR2."""

ROLES = ("worker", "gateway", "template")

LIMIT_MB = 256

OPENING = 2.0
"""Seconds over which the sessions begin, before anything happens: one that is refused for load would prove nothing."""

PATIENCE = 20.0
"""Seconds for which a session that is told to come again does so."""

ENDPOINT_SILENCE = 0.5
"""Seconds that the default settings wait for before a segment ends."""

Final = tuple[int, str, float, float]
"""Segment, text, start and end in seconds."""


class Blow(StrEnum):
    """What happens to a process. ``NONE``: nothing, to see what pauses there are anyway."""

    KILL = "kill"
    STOP = "stop"
    MEMORY = "memory"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Struck:
    """One process was hit, ``at`` seconds after all sessions had begun. ``recovered``: the longest pause of any session in the
    seconds after it; ``late``: of those, by how much the latest final was late. Partials that come less often because there is
    no CPU for them are pauses, and no lateness.
    """

    at: float
    blow: Blow
    role: str
    recovered: float = 0.0
    late: float = 0.0


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of it. ``wrong``: sessions whose finals differ, with how; ``failed``: sessions that ended with an error;
    ``refused``: that were never admitted, for want of room.

    ``away``: seconds for which a session had no connection, each time. ``waited``: seconds until one was let in that was told to
    come again. ``cuts``: connections that were cut.
    """

    sessions: int
    finals: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    struck: list[Struck] = field(default_factory=list)
    away: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    cuts: int = 0

    @property
    def recovery(self) -> Spread:
        """The longest pause of any session after each blow."""
        return spread([one.recovered for one in self.struck])

    @property
    def lateness(self) -> Spread:
        """The latest final of any session after each blow."""
        return spread([one.late for one in self.struck])


def processes(supervisor: int) -> dict[int, str]:
    """Process ids under the supervisor and their roles."""
    found = {}
    for pid in family(supervisor):
        with suppress(OSError):
            name = Path(f"/proc/{pid}/comm").read_text().strip().partition("-")[0]
            if name in ROLES:
                found[pid] = name
    return found


def undisturbed(sounds: Sequence[Samples], engine: Engine | None) -> list[list[Final]]:
    """The finals of each of ``sounds`` when nothing happens."""
    with Recognizer(engine=engine) as recognizer:
        return [
            [
                (one.segment_id, one.text, round(seconds(one.start), 3), round(seconds(one.end), 3))
                for one in recognizer.transcribe(sound)
            ]
            for sound in sounds
        ]


@dataclass(slots=True)
class Speaker:
    """One session. ``heard``: every message with its time. ``away``: for how long it had no connection, each time.

    It begins at ``began``, or once it is let in. ``waited``: how much later that was.
    """

    sound: Samples
    began: float
    waited: float = 0.0
    heard: list[tuple[float, ServerMessage]] = field(default_factory=list)
    away: list[float] = field(default_factory=list)
    cuts: int = 0
    _session: Session | None = None
    _lost: float = 0.0

    async def speak(self, url: str, *, patience: float = 0.0) -> list[Final]:
        """Say it in real time; the finals. ``patience``: seconds for which it comes again when it is told to."""
        await asyncio.sleep(self.began - time.monotonic())
        dialled = time.monotonic()
        async with connect(url, notice=self._notice, patience=patience) as session:
            self._session = session
            if (waited := time.monotonic() - dialled) > SHORTEST_RETRY:
                self.waited, self.began = waited, self.began + waited
            await converse(session, self._spoken(), lambda message: self.heard.append((time.monotonic(), message)))
        messages = [message for _, message in self.heard]
        return [(one.segment_id, one.text, one.start, one.end) for one in messages if isinstance(one, Result) and one.is_final]

    def cut(self) -> None:
        """Break the connection, as a network does."""
        if self._session is not None:
            self.cuts += 1
            self._session.cut()

    def pause(self, begin: float, end: float) -> float:
        """The longest that anything was late between ``begin`` and ``end``, beyond what silence and cadence explain.

        Between two results of one segment all of the gap counts; for a final, what passed since the endpoint's silence.
        """
        results = [(at, message) for at, message in self.heard if isinstance(message, Result)]
        gaps = [
            later - max(earlier, begin)
            for (earlier, one), (later, other) in pairwise(results)
            if one.segment_id == other.segment_id and later > begin and earlier < end
        ]
        return max([self.lateness(begin, end), *gaps])

    def lateness(self, begin: float, end: float) -> float:
        """By how much the latest final between ``begin`` and ``end`` came later than its endpoint's silence was over."""
        schedule = Schedule(self.began, CHUNK, len(self.sound))
        return max(
            (
                at - schedule.due(samples(one.end) + samples(ENDPOINT_SILENCE))
                for at, one in self.heard
                if isinstance(one, Result) and one.is_final and begin < at < end
            ),
            default=0.0,
        )

    def _notice(self, link: Link) -> None:
        if link is Link.LOST:
            self._lost = time.monotonic()
        else:
            self.away.append(time.monotonic() - self._lost)

    async def _spoken(self) -> AsyncIterator[Samples]:
        for start in range(0, len(self.sound), CHUNK):
            await asyncio.sleep(self.began + (start + CHUNK) / SAMPLE_RATE - time.monotonic())
            yield self.sound[start : start + CHUNK]


async def strike(supervisor: int, blow: Blow, pid: int) -> None:
    """Do it, and let a stopped process go on later if it is still there."""
    with suppress(ProcessLookupError):
        match blow:
            case Blow.NONE:
                pass
            case Blow.KILL:
                os.kill(pid, signal.SIGKILL)
            case Blow.MEMORY:
                os.kill(pid, signal.SIGUSR2)
            case Blow.STOP:
                os.kill(pid, signal.SIGSTOP)
                await asyncio.sleep(STOPPED_FOR)
                if pid in processes(supervisor):
                    os.kill(pid, signal.SIGCONT)


async def torment(server: Server, arguments: argparse.Namespace, began: float, outcome: Outcome) -> None:
    """Every few seconds a process drawn by the seed, until the time is over."""
    draw = np.random.default_rng(arguments.seed)
    async with asyncio.TaskGroup() as blows:
        for number in range(1, int(arguments.seconds / arguments.every)):
            await asyncio.sleep(began + number * arguments.every - time.monotonic())
            victims = sorted(pid for pid, role in processes(server.pid).items() if role in arguments.roles)
            blow = Blow(arguments.blows[int(draw.integers(len(arguments.blows)))])
            choice = int(draw.integers(1 << 30))
            if not victims:
                continue
            pid = victims[choice % len(victims)]
            role = processes(server.pid).get(pid, "worker")
            if role == "template" and blow is Blow.MEMORY:  # it does nothing that takes any
                blow = Blow.KILL
            at = time.monotonic()
            print(f"{at - began:6.1f} s  {blow:6}  {role}", flush=True)
            outcome.struck.append(Struck(at - began, blow, role))
            blows.create_task(strike(server.pid, blow, pid))


async def cut(speakers: Sequence[Speaker], arguments: argparse.Namespace, began: float) -> None:
    """Every now and then a session drawn by the seed loses its connection."""
    draw = np.random.default_rng([arguments.seed, 1])
    for number in range(1, int(arguments.seconds / arguments.cut_every)):
        await asyncio.sleep(began + number * arguments.cut_every - time.monotonic())
        speakers[int(draw.integers(len(speakers)))].cut()


def recoveries(struck: Sequence[Struck], began: float, speakers: Sequence[Speaker], until: float) -> list[Struck]:
    """For each blow the longest pause of any session, and the latest final, in the ``until`` seconds after it."""
    found = []
    for one in struck:
        window = began + one.at, began + one.at + until
        found.append(
            replace(
                one,
                recovered=max(speaker.pause(*window) for speaker in speakers),
                late=max(speaker.lateness(*window) for speaker in speakers),
            )
        )
    return found


async def measure(arguments: argparse.Namespace) -> int:
    """Let it happen, print what came of it; 0 if nobody's transcript changed."""
    machine = await describe()
    print(as_text(machine), end="\n\n")
    speech = pool(Profile.READ, recordings(None))
    sounds = [turned(speech, number, seconds=arguments.seconds) for number in range(arguments.sessions)]
    scripted = arguments.engine == "scripted"
    expected = undisturbed(sounds, ScriptedEngine() if scripted else None)
    settings = [f"STARLING_ENGINE__NAME={arguments.engine}", f"STARLING_PROCESSES__WORKERS={arguments.workers}", *arguments.set]
    outcome = Outcome(sessions=arguments.sessions)
    if scripted:  # which needs little, so that a process outgrows its limit within a moment
        settings.append(f"STARLING_PROCESSES__MEMORY_LIMIT_MB={LIMIT_MB}")
    async with own_server(settings=settings, module=(BALLAST,)) as server:
        began = time.monotonic() + OPENING + 1.0
        speakers = [Speaker(sound, began + (n / len(sounds) - 1.0) * OPENING) for n, sound in enumerate(sounds)]
        meter = Meter(server.pid, time.monotonic())
        tormenting = asyncio.gather(torment(server, arguments, began, outcome), cut(speakers, arguments, began))
        said = await asyncio.gather(
            *(speaker.speak(server.url, patience=PATIENCE) for speaker in speakers), return_exceptions=True
        )
        await tormenting
        usage = meter.stop(time.monotonic())
    for number, (finals, wanted) in enumerate(zip(said, expected, strict=True)):
        if isinstance(finals, Overloaded):
            outcome.refused += 1
        elif isinstance(finals, StarlingError):
            outcome.failed.append(f"session {number}: {finals.message}")
        elif isinstance(finals, BaseException):
            raise finals
        else:
            outcome.finals += len(finals)
            if finals != wanted:
                outcome.wrong.append(f"session {number}: {difference(finals, wanted)}")
    outcome.struck = recoveries(outcome.struck, began, speakers, arguments.every)
    outcome.away = [length for speaker in speakers for length in speaker.away]
    outcome.waited = [speaker.waited for speaker in speakers if speaker.waited]
    outcome.cuts = sum(speaker.cuts for speaker in speakers)
    report(arguments, outcome)
    print(
        f"cores: {usage.server:.2f} the server (of processes that are still there), {usage.generator:.2f} the clients, "
        f"{usage.others:.2f} others"
    )
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": asdict(machine), "seed": arguments.seed, **asdict(outcome)}, indent=1))
    return 1 if outcome.wrong or outcome.failed else 0


def difference(finals: Sequence[Final], wanted: Sequence[Final]) -> str:
    """How ``finals`` are not what was ``wanted``, without a word of them."""
    got, want = [one[0] for one in finals], [one[0] for one in wanted]
    if got != want:
        lost, twice = sorted(set(want) - set(got)), sorted({one for one in got if got.count(one) > 1})
        return f"segments lost {lost}, twice {twice}, in order {got == sorted(got)}"
    return f"other texts or times in segments {[one[0] for one, two in zip(finals, wanted, strict=True) if one != two]}"


def report(arguments: argparse.Namespace, outcome: Outcome) -> None:
    """In a few lines."""
    recovery, lateness = outcome.recovery, outcome.lateness
    print(
        f"\n{outcome.sessions} sessions, {outcome.finals} finals, {len(outcome.struck)} blows, seed {arguments.seed}: "
        f"{len(outcome.wrong)} transcripts changed, {len(outcome.failed)} sessions failed, {outcome.refused} were not admitted"
    )
    print(f"latest final of any session after a blow: P50 {lateness.p50} ms, P95 {lateness.p95} ms")
    away = spread(outcome.away)
    print(f"longest pause of any session after a blow: P50 {recovery.p50} ms, P95 {recovery.p95} ms of {recovery.count}")
    print(f"without a connection: P50 {away.p50} ms, P95 {away.p95} ms of {away.count}; {outcome.cuts} were cut on purpose")
    if outcome.waited:
        print(f"told to come again, and let in then: {len(outcome.waited)}, after {max(outcome.waited):.1f} s at most")
    for one in outcome.struck:
        print(f"  {one.at:6.1f} s  {one.blow:6}  {one.role:7}  pause {one.recovered:.2f} s  final late by {one.late:.2f} s")
    for line in [*outcome.wrong, *outcome.failed]:
        print(f"  {line}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=60, help="who speak at once (default: 60)")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each speaks (default: 60)")
    parser.add_argument("--every", type=float, default=3.0, help="seconds between two blows (default: 3)")
    parser.add_argument("--cut-every", type=float, default=1.0, help="seconds between two cuts of a connection (default: 1)")
    parser.add_argument("--seed", type=int, default=7, help="decides who is hit, and how (default: 7)")
    parser.add_argument("--workers", type=int, default=2, help="recognizer processes (default: 2)")
    parser.add_argument("--engine", default="scripted", help="engine.name (default: scripted)")
    parser.add_argument("--roles", nargs="+", choices=ROLES, default=ROLES, help="who is hit (default: all but the supervisor)")
    parser.add_argument(
        "--blows", nargs="+", choices=list(Blow), default=list(Blow)[:-1], help="what happens to them (default: all)"
    )
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="environment variable of the server")
    parser.add_argument("--json", type=Path, help="write the results here")
    raise SystemExit(asyncio.run(measure(parser.parse_args())))


if __name__ == "__main__":
    main()
