"""The loop that keeps the engine busy: take a batch, decode it off the event loop, hand out the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Protocol, TypeVar

from starling.core.errors import EngineFailed, Overloaded
from starling.core.load import Load
from starling.core.ports import Clock, DecodeOutcome, Engine, Witness, Work
from starling.core.transcript import Hypothesis
from starling.scheduler.batcher import Batcher, BatchOptions
from starling.scheduler.competition import Competition, RunQueue, Unwatched
from starling.scheduler.isolation import apart
from starling.scheduler.job import Job, Kind
from starling.scheduler.planner import Planner
from starling.telemetry.families.decoding import COST_OF
from starling.telemetry.logs import get_logger
from starling.telemetry.metrics import Metrics

log = get_logger(__name__)

T = TypeVar("T")


class Offload(Protocol):
    """Runs a blocking call where it does not block the event loop."""

    def __call__(self, call: Callable[[], T], /) -> Awaitable[T]: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of ``job``. ``cost``: its share of the engine's time, in seconds."""

    job: Job
    outcome: DecodeOutcome
    cost: float


class DecodeLoop:
    """Owns the queue and the one thread that calls the engine.

    ``answer`` is called with each decoded job, in the order of the batch. Jobs that were superseded or expired get no answer: a
    newer one speaks for them.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        options: BatchOptions,
        answer: Callable[[Answer], None],
        offload: Offload,
        clock: Clock,
        metrics: Metrics,
        witness: Witness,
        run_queue: RunQueue | None = None,
    ) -> None:
        """``run_queue``: None where time is virtual, and nobody ever waits for a core."""
        self._engine = engine
        self._batcher = Batcher(options)
        self._planner = Planner(options.capacity)
        self._answer = answer
        self._offload = offload
        self._clock = clock
        self._metrics = metrics
        self._witness = witness
        self._run_queue = run_queue or Unwatched()
        self._competition = Competition()
        self._submitted = asyncio.Event()

    def submit(self, job: Job) -> None:
        """Queue ``job``.

        A partial that finds the queue full is dropped, the next one of its segment will do; and so is one of a client that is
        ahead of its time: nobody reads along there, and its finals come the sooner.
        """
        self._planner.asked(job, job.submitted)
        if job.kind is Kind.PARTIAL and job.due > job.submitted:
            self._metrics.decodes.labels(kind=job.kind, outcome="early").inc()
            return
        try:
            superseded = self._batcher.submit(job)
        except Overloaded:
            self._metrics.decodes.labels(kind=job.kind, outcome="refused").inc()
            return
        if superseded is not None:
            stretched = self._planner.plan.stretch[superseded.priority] > 1
            self._metrics.decodes.labels(kind=superseded.kind, outcome="stretched" if stretched else "superseded").inc()
        self._submitted.set()

    def opened(self, session_id: str) -> None:
        """A session came, which may soon ask for something."""
        self._planner.company.opened(session_id, self._clock.now())

    def heard(self, session_id: str) -> None:
        """Sound of a session came."""
        self._planner.company.heard(session_id, self._clock.now())

    def ending(self, session_id: str) -> None:
        """A session takes no more sound."""
        self._planner.ending(session_id)

    def cancel(self, session_id: str) -> None:
        """Forget a session that is over, with its waiting jobs."""
        self._planner.left(session_id)
        self._batcher.cancel(session_id)

    def look(self, *, sessions: int) -> Load:
        """Plan anew for ``sessions`` open ones, and say how loaded the engine is."""
        now = self._clock.now()
        lost = self._competition.look(now, self._run_queue.threads())
        load = self._planner.look(now, sessions=sessions, lateness=self._batcher.lateness(now), lost=lost)
        self._batcher.stretch = self._planner.plan.stretch
        self._submitted.set()  # what may be decoded has changed
        self._metrics.load_rung.set(load.rung)
        self._metrics.engine_demand.set(load.demand)
        self._metrics.engine_room.set(load.room)
        self._metrics.session_cost.set(load.each)
        self._metrics.cores_lost.set(lost)
        for priority, interval in self._planner.cadence.items():
            self._metrics.partial_cadence.labels(priority=priority).set(interval)
        for kind, audio in product(Kind, COST_OF):
            self._metrics.decode_cost.labels(kind=kind, audio=audio).set(self._planner.costs.of(kind, float(audio)))
        return load

    async def run(self) -> None:
        """Decode for ever."""
        while True:
            wait = self._batcher.due(self._clock.now())
            if wait != 0.0:
                self._submitted.clear()
                try:
                    async with asyncio.timeout(wait):
                        await self._submitted.wait()
                except TimeoutError:
                    pass
                continue
            batch = self._batcher.take(self._clock.now())
            for job in batch.expired:
                self._metrics.decodes.labels(kind=job.kind, outcome="expired").inc()
            for jobs in apart(batch.jobs, lambda job: job.session_id, self._witness.suspects()):
                await self._decode(jobs)

    async def _decode(self, jobs: Sequence[Job]) -> None:
        started = self._clock.now()
        kind = jobs[0].kind
        for job in jobs:
            self._metrics.queue_wait.labels(kind=kind).observe(started - job.submitted)
        self._metrics.decode_batch_size.observe(len(jobs))
        self._metrics.engine_in_flight.set(len(jobs))
        outcomes, waited = await self._offload(lambda: self._decode_and_count(jobs))
        self._metrics.engine_in_flight.set(0)
        took = self._clock.now() - started
        self._metrics.decode_time.labels(kind=kind).observe(took)
        for job, outcome in zip(jobs, outcomes, strict=True):
            failed = isinstance(outcome, EngineFailed)
            self._planner.decoded(job, max(0.0, took - waited) / len(jobs))
            self._batcher.served(job, took / len(jobs))
            self._metrics.decodes.labels(kind=kind, outcome="failed" if failed else "ok").inc()
            if isinstance(outcome, Hypothesis) and outcome.hotwords is not None:
                self._metrics.hotword_segments.inc()
                self._metrics.hotword_hits.inc(outcome.hotwords)
            self._answer(Answer(job, outcome, took / len(jobs)))

    def _decode_and_count(self, jobs: Sequence[Job]) -> tuple[list[DecodeOutcome], float]:
        """The answers, and the seconds in which others had the core: they say nothing of what these decodes cost."""
        before = self._run_queue.waited()
        return self._decode_blocking(jobs), self._run_queue.waited() - before

    def _decode_blocking(self, jobs: Sequence[Job]) -> list[DecodeOutcome]:
        """An engine that breaks its promise, and raises or leaves answers out, fails its batch, not the process."""
        try:
            with self._witness.watch(Work.DECODE, [job.session_id for job in jobs]):
                outcomes = self._engine.decode_streams([job.stream for job in jobs])
        except Exception as error:
            log.exception("engine raised", batch=len(jobs))
            failure = EngineFailed(f"the engine raised {type(error).__name__}; the audio of this segment has no text")
            return [failure] * len(jobs)
        if len(outcomes) != len(jobs):
            return [EngineFailed(f"expected {len(jobs)} answers of the engine, got {len(outcomes)}")] * len(jobs)
        return outcomes
