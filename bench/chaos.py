"""People speak while processes fail: does anybody's transcript change, and how long does it take to recover?

Every few seconds something bad happens to one process of the platform, drawn by a seed: SIGKILL, SIGSTOP for five seconds, or
more memory than it may have. The supervisor is spared. Connections are cut. Each session's finals must be those of a run in which
nothing happened: none lost, none twice, in order::

    python -m bench.chaos --sessions 60 --seconds 60 --every 3 --seed 7 --json out.json
    python -m bench.chaos --bus redis --sessions 20 --seconds 140
    python -m bench.chaos --bus kafka --sessions 20 --seconds 200

With ``--bus`` the roles are apart, and what happens is in ``bench/hosts_chaos.py``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryFile
from typing import TypeAlias

import numpy as np

from bench.audio import Profile, pool, recordings, turned
from bench.endings import endings, first_after
from bench.hosts import Bus, hosts
from bench.hosts_chaos import Mishap, befall
from bench.latency import Spread, spread
from bench.machine import Meter, Usage, as_text, describe, family
from bench.server import Server, own_server
from bench.speakers import Final, Speaker, Verdict, judge, undisturbed
from starling.core.audio import Samples
from starling.engine.scripted import ScriptedEngine

Said: TypeAlias = list[Final] | BaseException
"""What a session said, or how it failed."""

STOPPED_FOR = 5.0
"""Seconds after which a process that was stopped goes on, if it is still there."""

BALLAST = "bench.ballast"
"""``python -m`` of a server whose processes take too much memory at SIGUSR2."""

ROLES = ("worker", "gateway", "template")

LIMIT_MB = 256

SCRIPTED = "scripted"

EVERY = {Bus.SHM: 3.0, Bus.REDIS: 10.0, Bus.KAFKA: 25.0}
"""Seconds between two blows, unless told otherwise: so that one is over when the next one comes, mostly."""

OPENING = 2.0
"""Seconds over which the sessions begin, before anything happens: one that is refused for load would prove nothing."""

PATIENCE = 20.0
"""Seconds for which a session that is told to come again does so."""


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
    no CPU for them are pauses, and no lateness. ``gone``: seconds until a process of the role was reaped, where that is known and
    one was. What a pause is longer than that and than pauses are anyway is replay, catching up and the first result.
    """

    at: float
    blow: str
    role: str
    recovered: float = 0.0
    late: float = 0.0
    gone: float | None = None


@dataclass(slots=True, kw_only=True)
class Outcome(Verdict):
    """What came of it.

    ``away``: seconds for which a session had no connection, each time. ``waited``: seconds until one was let in that was told to
    come again. ``cuts``: connections that were cut.
    """

    sessions: int
    struck: list[Struck] = field(default_factory=list)
    away: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    cuts: int = 0

    def take(self, verdict: Verdict) -> None:
        """How the sessions ended."""
        self.finals, self.refused, self.wrong, self.failed = verdict.finals, verdict.refused, verdict.wrong, verdict.failed

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


async def one_host(arguments: argparse.Namespace, sounds: Sequence[Samples], outcome: Outcome) -> tuple[list[Said], Usage]:
    """``starling serve``, of whose processes one after the other is hit."""
    settings = [f"STARLING_ENGINE__NAME={arguments.engine}", f"STARLING_PROCESSES__WORKERS={arguments.workers}", *arguments.set]
    if arguments.engine == SCRIPTED:  # which needs little, so that a process outgrows its limit within a moment
        settings.append(f"STARLING_PROCESSES__MEMORY_LIMIT_MB={LIMIT_MB}")
    began = 0.0

    def happening(since: float) -> Awaitable[None]:
        nonlocal began
        began = since
        return torment(server, arguments, since, outcome)

    with TemporaryFile() as log:
        async with own_server(settings=settings, module=(BALLAST,), log=log) as server:
            meter = Meter(server.pid, time.monotonic())
            said = await speaking(arguments, server.url, sounds, outcome, happening)
            usage = meter.stop(time.monotonic())
        log.seek(0)
        ended = endings(log.read().decode(errors="replace").splitlines())
    since_epoch = time.time() - time.monotonic() + began
    outcome.struck = [
        replace(one, gone=first_after(ended, one.role, since_epoch + one.at, arguments.every)) for one in outcome.struck
    ]
    return said, usage


async def several_hosts(arguments: argparse.Namespace, sounds: Sequence[Samples], outcome: Outcome) -> tuple[list[Said], Usage]:
    """Gateways and recognizers on Redis, or on Kafka and Redis."""
    settings = [f"STARLING_ENGINE__NAME={arguments.engine}", *arguments.set]
    meter = Meter(os.getpid(), time.monotonic())
    async with hosts(
        arguments.bus, gateways=2, recognizers=arguments.workers, settings=settings, broker_settings=arguments.broker_set
    ) as platform:

        def befalling(began: float) -> Awaitable[None]:
            def told(at: float, mishap: Mishap) -> None:
                print(f"{at - began:6.1f} s  {mishap}", flush=True)
                outcome.struck.append(Struck(at - began, mishap.blow, mishap.victim))

            mishaps = arguments.mishaps or [it for it in Mishap if it is not Mishap.KAFKA or arguments.bus is Bus.KAFKA]
            until = began + arguments.seconds
            return befall(platform, mishaps, seed=arguments.seed, every=arguments.every, begin=began, until=until, told=told)

        said = await speaking(arguments, platform.roles.url, sounds, outcome, befalling)
    usage = meter.stop(time.monotonic())
    return said, replace(usage, server=usage.server - usage.generator, others=usage.others + usage.generator)


async def speaking(
    arguments: argparse.Namespace,
    url: str,
    sounds: Sequence[Samples],
    outcome: Outcome,
    happening: Callable[[float], Awaitable[None]],
) -> list[Said]:
    """What each session said, while ``happening``, which is told when all of them had begun."""
    began = time.monotonic() + OPENING + 1.0
    speakers = [Speaker(sound, began + (n / len(sounds) - 1.0) * OPENING) for n, sound in enumerate(sounds)]
    tormenting = asyncio.gather(happening(began), cut(speakers, arguments, began))
    said = await asyncio.gather(*(speaker.speak(url, patience=PATIENCE) for speaker in speakers), return_exceptions=True)
    await tormenting
    outcome.struck = recoveries(outcome.struck, began, speakers, arguments.every)
    outcome.away = [length for speaker in speakers for length in speaker.away]
    outcome.waited = [speaker.waited for speaker in speakers if speaker.waited]
    outcome.cuts = sum(speaker.cuts for speaker in speakers)
    return said


async def measure(arguments: argparse.Namespace) -> int:
    """Let it happen, print what came of it; 0 if nobody's transcript changed."""
    machine = await describe()
    print(as_text(machine), end="\n\n")
    speech = pool(Profile.READ, recordings(None))
    sounds = [turned(speech, number, seconds=arguments.seconds) for number in range(arguments.sessions)]
    expected = await asyncio.to_thread(undisturbed, sounds, ScriptedEngine() if arguments.engine == SCRIPTED else None)
    outcome = Outcome(sessions=arguments.sessions)
    said, usage = await (one_host if arguments.bus is Bus.SHM else several_hosts)(arguments, sounds, outcome)
    outcome.take(judge(said, expected))
    report(arguments, outcome)
    print(
        f"cores: {usage.server:.2f} the server (of processes that are still there), {usage.generator:.2f} the clients, "
        f"{usage.others:.2f} others"
    )
    if arguments.json:
        about = {"machine": asdict(machine), "bus": arguments.bus, "seed": arguments.seed, "usage": asdict(usage)}
        arguments.json.write_text(json.dumps({**about, **asdict(outcome)}, indent=1))
    return 1 if outcome.wrong or outcome.failed else 0


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
        gone = "" if one.gone is None else f"  gone after {one.gone:.2f} s"
        print(
            f"  {one.at:6.1f} s  {one.blow:7}  {one.role:10}  pause {one.recovered:.2f} s  final late by {one.late:.2f} s{gone}"
        )
    for line in [*outcome.wrong, *outcome.failed]:
        print(f"  {line}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bus", type=Bus, choices=list(Bus), default=Bus.SHM, help="one host, or roles apart (default: shm)")
    parser.add_argument("--sessions", type=int, default=60, help="who speak at once (default: 60)")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each speaks (default: 60)")
    parser.add_argument("--every", type=float, help="seconds between two blows (default: 3; 10 on Redis, 25 on Kafka)")
    parser.add_argument("--cut-every", type=float, default=1.0, help="seconds between two cuts of a connection (default: 1)")
    parser.add_argument("--seed", type=int, default=7, help="decides who is hit, and how (default: 7)")
    parser.add_argument("--workers", type=int, default=2, help="recognizer processes (default: 2)")
    parser.add_argument("--engine", default="scripted", help="engine.name (default: scripted)")
    parser.add_argument(
        "--roles", nargs="+", choices=ROLES, default=ROLES, help="who is hit on one host (default: all but the supervisor)"
    )
    parser.add_argument(
        "--blows", nargs="+", choices=list(Blow), default=list(Blow)[:-1], help="what happens to them (default: all)"
    )
    parser.add_argument("--mishaps", nargs="+", type=Mishap, choices=list(Mishap), help="what happens on several hosts")
    parser.add_argument("--broker-set", action="append", default=[], metavar="name=value", help="setting of the Kafka broker")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="environment variable of the server")
    parser.add_argument("--json", type=Path, help="write the results here")
    arguments = parser.parse_args()
    arguments.every = arguments.every or EVERY[arguments.bus]
    raise SystemExit(asyncio.run(measure(arguments)))


if __name__ == "__main__":
    main()
