"""Sessions that speak on while things happen to the platform, and whether anybody's transcript shows it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from bench.latency import Schedule
from starling import Recognizer
from starling.client import connect
from starling.client.conversation import converse
from starling.client.line import Link
from starling.client.pacing import CHUNK
from starling.client.session import Session
from starling.core.audio import SAMPLE_RATE, Samples, samples, seconds
from starling.core.errors import Overloaded, StarlingError
from starling.core.ports import Engine
from starling.protocols.native.messages import Result, ServerMessage
from starling.scheduler.planner import SHORTEST_RETRY

ENDPOINT_SILENCE = 0.5
"""Seconds that the default settings wait for before a segment ends."""

Final = tuple[int, str, float, float]
"""Segment, text, start and end in seconds."""


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

    @property
    def session_id(self) -> str:
        """Empty before it is let in."""
        return "" if self._session is None else self._session.ready.session_id

    def first_after(self, moment: float, least: float) -> float | None:
        """Seconds from ``moment``, monotonic, until the next result, but not less than ``least``; None if none came."""
        return next((at - moment for at, message in self.heard if isinstance(message, Result) and at > moment + least), None)

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


@dataclass(slots=True)
class Verdict:
    """How sessions ended. ``wrong``: whose finals differ, with how; ``failed``: that ended with an error; ``refused``: that were
    never admitted, for want of room.
    """

    finals: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def judge(said: Sequence[list[Final] | BaseException], expected: Sequence[list[Final]]) -> Verdict:
    """What each session said, or how it failed, against what it should have said. Raises what is no error of the platform's."""
    verdict = Verdict()
    for number, (finals, wanted) in enumerate(zip(said, expected, strict=True)):
        if isinstance(finals, Overloaded):
            verdict.refused += 1
        elif isinstance(finals, StarlingError):
            verdict.failed.append(f"session {number}: {finals.message}")
        elif isinstance(finals, BaseException):
            raise finals
        else:
            verdict.finals += len(finals)
            if finals != wanted:
                verdict.wrong.append(f"session {number}: {difference(finals, wanted)}")
    return verdict


def difference(finals: Sequence[Final], wanted: Sequence[Final]) -> str:
    """How ``finals`` are not what was ``wanted``, without a word of them."""
    got, want = [one[0] for one in finals], [one[0] for one in wanted]
    if got != want:
        lost, twice = sorted(set(want) - set(got)), sorted({one for one in got if got.count(one) > 1})
        return f"segments lost {lost}, twice {twice}, in order {got == sorted(got)}"
    return f"other texts or times in segments {[one[0] for one, two in zip(finals, wanted, strict=True) if one != two]}"
