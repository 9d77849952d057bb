"""Many speakers at once, in one protocol or in two by turns, and what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

from starling.client.load.line import Garbled, NoRoom, Place, Said, Speak
from starling.client.load.plain import speak as wyoming
from starling.client.load.sockets import SOCKETS
from starling.client.load.turns import Ear, Latencies, Speech, speech
from starling.client.load.usage import cpu_seconds, spent
from starling.client.pacing import CHUNK
from starling.core.audio import SAMPLE_RATE, Samples

NATIVE: Final = "native"

PERCENTILES: Final = (50, 95, 99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """``recordings``: what speakers say, each beginning with another. ``seconds``: how long each speaks at least.

    ``pause``: seconds of silence after each turn, longer than any server waits for the end of speech. ``lead``: from the first
    dial to the first sample. ``rest``: between two rounds, in which the server finishes what the one before left.
    """

    recordings: Sequence[Samples]
    streams: int
    seconds: float
    pause: float = 2.0
    lead: float = 1.0
    rest: float = 2.0


@dataclass(slots=True)
class Outcome:
    """Of one protocol, over all its rounds. ``cpu``: of each round, CPU seconds of the server by role; None where it does
    not say them, or not all were served. ``spoken``: of each, seconds of audio of all its streams.
    """

    latencies: Latencies = field(default_factory=Latencies)
    refused: int = 0
    failed: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    cpu: list[Mapping[str, float] | None] = field(default_factory=list)
    spoken: list[float] = field(default_factory=list)

    def cost(self, role: str | None = None) -> float | None:
        """Cores that one stream takes, of all processes or those of ``role``: the median of all rounds. None if not known."""
        costs = [
            (sum(cpu.values()) if role is None else cpu.get(role, 0.0)) / spoken
            for cpu, spoken in zip(self.cpu, self.spoken, strict=True)
            if cpu is not None and spoken
        ]
        return median(costs) if costs else None

    @property
    def roles(self) -> Sequence[str]:
        """Of the server's processes."""
        return sorted({role for cpu in self.cpu if cpu is not None for role in cpu})

    def as_json(self) -> dict[str, Any]:
        """For files. Latencies are milliseconds."""
        return {
            "first": spread(self.latencies.first),
            "final": spread(self.latencies.final),
            "turns": len(self.latencies.final) + self.latencies.silent,
            "silent": self.latencies.silent,
            "refused": self.refused,
            "failed": self.failed,
            "faults": self.faults,
            "cpu_per_stream": self.cost(),
            "cpu_by_role": {role: self.cost(role) for role in self.roles},
        }


def speaker(protocol: str) -> Speak:
    """How a stream of ``protocol`` speaks. Raises KeyError for one that is not known."""
    if protocol == "wyoming":
        return wyoming
    if protocol == "riva":
        from starling.client.load.calls import speak  # noqa: PLC0415 - gRPC starts threads, and takes a while to load

        return speak
    return SOCKETS[protocol].speak


async def compare(
    places: Mapping[str, Place], load: Load, *, main: Place, rounds: int, told: Callable[[str], None] = lambda _: None
) -> dict[str, Outcome]:
    """The protocols of ``places`` by turns, ``rounds`` times: what changes on the machine meanwhile meets all of them.

    ``main``: the server's main port, where it says what it uses. ``told``: which one is on.
    """
    outcomes = {protocol: Outcome() for protocol in places}
    for number in range(rounds):
        for protocol, place in places.items():
            told(f"round {number + 1} of {rounds}: {protocol}, {load.streams} streams")
            await _round(protocol, place, main, load, outcomes[protocol])
            await asyncio.sleep(load.rest)
    return outcomes


async def _round(protocol: str, place: Place, main: Place, load: Load, outcome: Outcome) -> None:
    speak = speaker(protocol)
    speeches = [speech(load.recordings, first=n, seconds=load.seconds, pause=load.pause) for n in range(load.streams)]
    before = await asyncio.to_thread(cpu_seconds, main)
    lost = outcome.refused + outcome.failed
    begins = time.monotonic() + load.lead
    await asyncio.gather(*(_stream(speak, place, one, begins + n / load.streams, outcome) for n, one in enumerate(speeches)))
    used = spent(before, await asyncio.to_thread(cpu_seconds, main))
    outcome.cpu.append(used if outcome.refused + outcome.failed == lost else None)  # who is not served costs less
    outcome.spoken.append(sum(len(one.audio) for one in speeches) / SAMPLE_RATE)


async def _stream(speak: Speak, place: Place, speech: Speech, began: float, outcome: Outcome) -> None:
    ear = Ear(speech, began)

    def hear(*, final: bool) -> None:
        ear.hear(final=final, now=time.monotonic())

    try:
        await speak(place, _said(speech, began), hear)
    except BaseException as error:
        fault = _first(error)
        match fault:
            case NoRoom():
                outcome.refused += 1
            case Garbled() | OSError() | TimeoutError() | EOFError() | ValueError() | KeyError():
                outcome.failed += 1
            case _:
                raise
        name = f"{type(fault).__name__}: {fault}"[:200]
        outcome.faults[name] = outcome.faults.get(name, 0) + 1
    else:
        outcome.latencies.add(ear.latencies())


async def _said(speech: Speech, began: float) -> AsyncIterator[Said]:
    """Each chunk once it is recorded; whoever is late sends what has gathered at once."""
    start = 0
    for turn in speech.turns:
        end = -(-turn.end // CHUNK) * CHUNK
        for over in range(start + CHUNK, turn.over + 1, CHUNK):
            await asyncio.sleep(max(0.0, began + over / SAMPLE_RATE - time.monotonic()))
            yield Said(speech.audio[over - CHUNK : over], last=over == end, pause=over > end)
        start = turn.over


def _first(error: BaseException) -> BaseException:
    """What was wrong, of several things at once."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def spread(values: Sequence[float]) -> dict[str, int | None]:
    """Percentiles of ``values`` in seconds, as whole milliseconds; None where there are no values. By nearest rank."""
    ordered = sorted(values)
    return {
        f"p{percent}": round(1000 * ordered[max(0, -(-percent * len(ordered) // 100) - 1)]) if ordered else None
        for percent in PERCENTILES
    }
