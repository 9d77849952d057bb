"""The order of decoding, as a pure policy: jobs and the time in, batches out."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from starling.core.errors import InvalidOption, Overloaded
from starling.core.load import Priority
from starling.scheduler.job import Job, Kind
from starling.scheduler.shares import Shares

LATE: Final = 0.25
"""Seconds: while a final that is due waits longer, sessions share the engine instead of going by the earliest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """``max_batch``: partials decoded together, if the engine gains by it; a final that comes then waits for all of them.

    ``partial_lifetime``: seconds after which a partial is not worth decoding any more. ``max_pending``: partials that may wait.
    ``capacity``: the share of the engine's time, 0 to 1, that is planned for; the rest keeps queues short.
    """

    max_batch: int = 4
    partial_lifetime: float = 2.0
    max_pending: int = 1024
    capacity: float = 0.85

    def __post_init__(self) -> None:
        if self.max_batch < 1 or self.max_pending < 1:
            raise InvalidOption(f"expected max_batch and max_pending of at least 1, got {self.max_batch} and {self.max_pending}")
        if not self.partial_lifetime > 0:
            raise InvalidOption(f"expected a partial_lifetime of more than 0 seconds, got {self.partial_lifetime}")
        if not 0 < self.capacity <= 1:
            raise InvalidOption(f"expected a capacity above 0 and up to 1, got {self.capacity}")


@dataclass(frozen=True, slots=True)
class Batch:
    """``jobs`` to decode together now; ``expired`` ones to drop."""

    jobs: tuple[Job, ...] = ()
    expired: tuple[Job, ...] = ()


@dataclass(slots=True)
class Batcher:
    """Who waits, and who is next.

    First finals that are due, the earliest first, or while one of them is late, those of the session that the engine served the
    least, so that one that is far behind delays nobody who is not; then partials, those that show a segment's first words first,
    then those that have been ready the longest; then finals of clients that are ahead of their time, one session after the other,
    so that none of them waits for another's whole recording.

    A session has at most one partial waiting: a newer one takes the older one's place in the queue, and a final removes it. It is
    ready once ``stretch`` (by priority; at least 1) times its interval has passed since the session's last one began. Partials
    are bounded by ``max_pending``. Finals are never refused: each stands for audio that the log still holds, and the log's lead
    bounds them.
    """

    options: BatchOptions
    stretch: Mapping[Priority, float] = field(default_factory=lambda: dict.fromkeys(Priority, 1.0))
    _finals: dict[str, deque[Job]] = field(default_factory=dict)
    _partials: dict[str, Job] = field(default_factory=dict)
    _since: dict[str, float] = field(default_factory=dict)  # when the place in the queue was taken
    _shown: dict[str, float] = field(default_factory=dict)  # when the session's last partial was taken
    _turns: dict[str, int] = field(default_factory=dict)  # the last turn of each session that is ahead
    _turn: int = 0
    _shares: Shares = field(default_factory=Shares)
    _charged: Job | None = None  # the due final that was taken last

    def __len__(self) -> int:
        return sum(map(len, self._finals.values())) + len(self._partials)

    def submit(self, job: Job) -> Job | None:
        """Queue ``job``. Returns the partial it made superfluous. Raises Overloaded for a partial past ``max_pending``."""
        if job.kind is Kind.FINAL:
            self._finals.setdefault(job.session_id, deque()).append(job)
            return self._withdraw(job.session_id)
        older = self._partials.get(job.session_id)
        if older is None and len(self._partials) >= self.options.max_pending:
            raise Overloaded(
                f"{len(self._partials)} partials wait already", gate="engine", retry_after=self.options.partial_lifetime
            )
        self._partials[job.session_id] = job
        self._since.setdefault(job.session_id, job.submitted)
        return older

    def cancel(self, session_id: str) -> None:
        """The session is over: drop all that it waits for, and forget it."""
        self._withdraw(session_id)
        for of_session in (self._finals, self._shown, self._turns):
            of_session.pop(session_id, None)
        self._shares.forget(session_id)

    def served(self, job: Job, cost: float) -> None:
        """``job`` took ``cost`` seconds of the engine. What nobody had to wait for counts for nothing."""
        if job is self._charged:
            self._shares.served(job.session_id, cost)
            self._charged = None

    def due(self, now: float) -> float | None:
        """Seconds until ``take`` would give something; None while nothing waits."""
        if self._finals:
            return 0.0
        if not self._partials:
            return None
        next_at = min(min(self._ready(job), self._expiry(job)) for job in self._partials.values())
        # A wait that only exists because floats round would be asked for again and again without time passing.
        return max(0.0, round(next_at - now, 6))

    def take(self, now: float) -> Batch:
        """The next batch; its jobs are the caller's from here on.

        Finals come one at a time: engines decode each alone, and in a batch it would wait for the others.
        """
        if (final := self._due_final(now)) is not None:
            return Batch((final,))
        expired = tuple(job for job in self._partials.values() if _over(self._expiry(job), now))
        for job in expired:
            self._withdraw(job.session_id)
        ready = [job for job in self._partials.values() if _over(self._ready(job), now)]
        ready.sort(key=lambda job: (not job.first, self._ready(job)))
        jobs = tuple(ready[: self.options.max_batch])
        for job in jobs:
            self._withdraw(job.session_id)
            self._shown[job.session_id] = now
        if not jobs and (final := self._early_final()) is not None:
            jobs = (final,)
        return Batch(jobs, expired)

    def lateness(self, now: float) -> float:
        """Seconds that the final which waits longest has waited since it was submitted and due."""
        return max((now - max(waiting[0].due, waiting[0].submitted) for waiting in self._finals.values()), default=0.0)

    def _due_final(self, now: float) -> Job | None:
        due = {session_id: waiting[0] for session_id, waiting in self._finals.items() if waiting[0].due <= now}
        self._shares.wait(due.keys())
        if not due:
            return None
        late = any(now - max(job.due, job.submitted) > LATE for job in due.values())
        session_id = min(due, key=lambda name: (self._shares.of(name) if late else 0.0, due[name].due))
        self._shares.take(session_id)
        self._charged = self._pop_final(session_id)
        return self._charged

    def _early_final(self) -> Job | None:
        session_id = min(self._finals, key=lambda session_id: self._turns.get(session_id, 0), default=None)
        if session_id is None:
            return None
        self._turn += 1
        self._turns[session_id] = self._turn
        return self._pop_final(session_id)

    def _pop_final(self, session_id: str) -> Job:
        final = self._finals[session_id].popleft()
        if not self._finals[session_id]:
            del self._finals[session_id]
        return final

    def _ready(self, job: Job) -> float:
        since, stretch = self._since[job.session_id], self.stretch[job.priority]
        if math.isinf(stretch):
            return math.inf
        if job.first or stretch <= 1:
            return since
        return max(since, self._shown.get(job.session_id, -math.inf) + stretch * job.interval)

    def _expiry(self, job: Job) -> float:
        return job.submitted + self.options.partial_lifetime

    def _withdraw(self, session_id: str) -> Job | None:
        self._since.pop(session_id, None)
        return self._partials.pop(session_id, None)


def _over(time: float, now: float) -> bool:
    return round(time - now, 6) <= 0
