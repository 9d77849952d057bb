"""The order of decoding, as a pure policy: jobs and the time in, batches out."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from starling.core.errors import InvalidOption, Overloaded
from starling.core.ports import EngineStream


class Kind(StrEnum):
    """What a decode is for."""

    PARTIAL = "partial"
    FINAL = "final"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """``max_batch``: partials decoded together, if the engine gains by it; a final that comes then waits for all of them.

    ``max_wait``: seconds a partial may wait for others to share its batch.
    ``partial_lifetime``: seconds after which a partial is not worth decoding any more. ``max_pending``: partials that may wait.
    """

    max_batch: int = 4
    max_wait: float = 0.0
    partial_lifetime: float = 2.0
    max_pending: int = 1024

    def __post_init__(self) -> None:
        if self.max_batch < 1 or self.max_pending < 1:
            raise InvalidOption(f"expected max_batch and max_pending of at least 1, got {self.max_batch} and {self.max_pending}")
        if not 0 <= self.max_wait < self.partial_lifetime:
            raise InvalidOption(f"expected 0 <= max_wait < partial_lifetime, got {self.max_wait} and {self.partial_lifetime}")


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One utterance to decode. ``submitted``: the clock's time, in seconds."""

    session_id: str
    segment_id: int
    kind: Kind
    stream: EngineStream
    submitted: float


@dataclass(frozen=True, slots=True)
class Batch:
    """``jobs`` to decode together now; ``expired`` ones to drop."""

    jobs: tuple[Job, ...] = ()
    expired: tuple[Job, ...] = ()


@dataclass(slots=True)
class Batcher:
    """Finals first, in the order they came; then partials, the longest waiting first.

    A session has at most one partial waiting: a newer one takes the older one's place in the queue, and a final removes it.
    Partials are bounded by ``max_pending``. Finals are never refused: each stands for audio that the log still holds, and the
    log's lead bounds them.
    """

    options: BatchOptions
    _finals: list[Job] = field(default_factory=list)
    _partials: dict[str, Job] = field(default_factory=dict)
    _since: dict[str, float] = field(default_factory=dict)  # when the place in the queue was taken

    def __len__(self) -> int:
        return len(self._finals) + len(self._partials)

    def submit(self, job: Job) -> Job | None:
        """Queue ``job``. Returns the partial it made superfluous. Raises Overloaded for a partial past ``max_pending``."""
        if job.kind is Kind.FINAL:
            self._finals.append(job)
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
        """Drop all that the session waits for."""
        self._withdraw(session_id)
        self._finals = [job for job in self._finals if job.session_id != session_id]

    def due(self, now: float) -> float | None:
        """Seconds until ``take`` would give something; None while nothing waits."""
        if self._finals or len(self._partials) >= self.options.max_batch:
            return 0.0
        if not self._partials:
            return None
        oldest = next(iter(self._since.values()))
        # A wait that only exists because floats round would be asked for again and again without time passing.
        return max(0.0, round(oldest + self.options.max_wait - now, 6))

    def take(self, now: float) -> Batch:
        """The next batch; its jobs are the caller's from here on.

        Finals come one at a time: engines decode each alone, and in a batch it would wait for the others.
        """
        if self._finals:
            return Batch((self._finals.pop(0),))
        fresh: list[Job] = []
        expired: list[Job] = []
        wait_over = self.due(now) == 0.0
        for session_id, job in list(self._partials.items()):
            if now - job.submitted > self.options.partial_lifetime:
                expired.append(job)
            elif wait_over and len(fresh) < self.options.max_batch:
                fresh.append(job)
            else:
                continue
            self._withdraw(session_id)
        return Batch(tuple(fresh), tuple(expired))

    def _withdraw(self, session_id: str) -> Job | None:
        self._since.pop(session_id, None)
        return self._partials.pop(session_id, None)
