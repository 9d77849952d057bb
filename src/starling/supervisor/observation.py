"""Looking at processes: what they say on shared memory, and what the kernel says of those that fall silent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starling.core.ports import Work
from starling.supervisor.crew import Child, Crew
from starling.supervisor.fleet import Member, Phase
from starling.supervisor.options import SupervisorOptions
from starling.supervisor.processes import Activity, activity_of, memory_of
from starling.supervisor.verdicts import STANDSTILL, Signs

MEMORY_EVERY: Final = 0.1
"""Seconds between two looks at the memory of a process."""


@dataclass(slots=True)
class _Silence:
    """When a process was first seen to be silent, and what it had computed by then."""

    beat: float
    since: float
    computed: float


class Observer:
    """What is to be seen of the processes of ``crew``. Looks closely, which costs more, only at those that are silent."""

    def __init__(
        self,
        crew: Crew,
        options: SupervisorOptions,
        *,
        activity: Callable[[int], Activity] = activity_of,
        memory: Callable[[int], int] = memory_of,
    ) -> None:
        self._crew = crew
        self._options = options
        self._activity = activity
        self._memory = memory
        self._silences: dict[Member, _Silence] = {}
        self._memories: dict[Member, tuple[float, int]] = {}
        self._modest: dict[Member, float] = {}

    def look(self, member: Member, child: Child, now: float) -> Signs:
        """The signs of one process."""
        beat = max(self._crew.beat(member), member.started)
        activity, share = Activity(), 0.0
        if member.phase is Phase.READY and now - beat > STANDSTILL * self._options.hang_timeout:
            activity = self._activity(child.pid)
            silence = self._silences.get(member)
            if silence is None or silence.beat != beat:
                silence = self._silences[member] = _Silence(beat, now, activity.computed)
            elapsed = now - silence.since
            share = (activity.computed - silence.computed) / elapsed if elapsed > 0 else 0.0
        in_hand = self._crew.in_hand(member)
        return Signs(
            started=member.started,
            ready=member.phase is Phase.READY,
            beat=beat,
            listening=in_hand[Work.LISTEN].since if Work.LISTEN in in_hand else None,
            decoding=in_hand[Work.DECODE].since if Work.DECODE in in_hand else None,
            memory=self._memory_of(member, child, now),
            stopped=activity.stopped,
            runnable=activity.runnable,
            share=share,
        )

    def modest_at(self, member: Member) -> float:
        """When its memory was last seen within its limit."""
        return self._modest.get(member, member.started)

    def forget(self, member: Member) -> None:
        """It is gone."""
        for seen in (self._silences, self._memories, self._modest):
            seen.pop(member, None)

    def _memory_of(self, member: Member, child: Child, now: float) -> int:
        looked, memory = self._memories.get(member, (float("-inf"), 0))
        if now - looked >= MEMORY_EVERY:
            memory = self._memory(child.pid)
            self._memories[member] = now, memory
            if memory <= self._options.memory_limit:
                self._modest[member] = now
        return memory
