"""Jobs in the memory of one process: the twin of the stores that last, and what they are measured by."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from starling.core.errors import ClaimLost
from starling.core.jobs import (
    Claim,
    Delivery,
    Job,
    JobError,
    JobPage,
    JobQuery,
    JobSegment,
    JobStatus,
    JobWarning,
    QueueState,
)
from starling.core.load import Priority
from starling.core.records import Checkpoint
from starling.jobs import life
from starling.jobs.asking import asked_for, check_new, check_queue, check_same, comes_after, fingerprint, page, read_cursor
from starling.jobs.life import ENDS, Observer, Spent, Step, Verb
from starling.jobs.options import KEPT_DAYS, StoreOptions
from starling.jobs.order import RANK, age, pick, pick_left_out, position
from starling.jobs.watching import Watchers


@dataclass(slots=True)
class _Kept:
    """A job and what belongs to it. ``until``: the end of its lease. ``due``: when its callback is to be told, if it is."""

    job: Job
    fence: int = 0
    until: float = 0.0
    due: float | None = None
    deliveries: int = 0
    attempt: int = 0
    idempotency_key: str = ""
    fingerprint: str = ""
    segments: dict[tuple[int, int], JobSegment] = field(default_factory=dict)
    checkpoints: dict[int, Checkpoint] = field(default_factory=dict)


class MemoryJobStore:
    """A ``JobStore`` whose jobs end with it."""

    def __init__(self, options: StoreOptions | None = None, *, observe: Observer | None = None) -> None:
        self._options = options or StoreOptions()
        self._observe = observe
        self._kept: dict[str, _Kept] = {}
        self._turns: dict[str, int] = {}
        self._chores: dict[str, tuple[str, float]] = {}
        self._accounts: Counter[tuple[str, int]] = Counter()
        self._watchers = Watchers()

    async def submit(self, job: Job, *, idempotency_key: str = "") -> Job:
        for kept in self._kept.values() if idempotency_key else ():
            if (kept.job.tenant, kept.idempotency_key) == (job.tenant, idempotency_key):
                check_same(job, kept.fingerprint)
                return kept.job
        check_new(job, known=job.job_id in self._kept)
        check_queue(self._queued_of(job.tenant), self._options.max_queued)
        if job.tenant not in self._turns:
            self._take_turn(job.tenant)
        self._kept[job.job_id] = _Kept(job, idempotency_key=idempotency_key, fingerprint=fingerprint(job))
        self._tell(life.submit(job))
        return job

    async def get(self, job_id: str) -> Job | None:
        kept = self._kept.get(job_id)
        return kept.job if kept else None

    async def segments(self, job_id: str, *, after: int = 0) -> Sequence[JobSegment]:
        kept = self._kept.get(job_id)
        return tuple(kept.segments.values())[after:] if kept else ()

    async def claim(
        self,
        worker: str,
        *,
        now: float,
        lease: float,
        priorities: Collection[Priority] = tuple(Priority),
        left_out: float | None = None,
    ) -> Claim | None:
        for kept in self._kept.values():
            if kept.job.status is JobStatus.RUNNING and kept.until <= now:
                self._store(life.expire(kept.job, now=now, max_attempts=self._options.max_attempts))
        ready = [job for job in self._jobs(JobStatus.QUEUED) if job.not_before <= now and job.priority in priorities]
        if left_out is None:
            job = pick(ready, self._turns)
        else:
            served = {job.tenant for job in self._jobs(JobStatus.RUNNING)}
            job = pick_left_out((job for job in ready if job.created <= left_out), self._turns, served)
        if job is None:
            return None
        self._take_turn(job.tenant)
        kept = self._kept[job.job_id]
        kept.fence += 1
        kept.until = now + lease
        job = self._store(life.claim(job, worker, now=now))
        checkpoints = tuple(kept.checkpoints.get(channel) for channel in range(max(kept.checkpoints, default=-1) + 1))
        return Claim(job=job, worker=worker, fence=kept.fence, until=kept.until, checkpoints=checkpoints)

    async def heartbeat(self, claim: Claim, *, done: float, now: float, lease: float) -> Claim:
        kept = self._claimed(claim)
        kept.until = now + lease
        return self._progressed(kept, claim, done)

    async def add(
        self,
        claim: Claim,
        segments: Sequence[JobSegment],
        *,
        channel: int,
        checkpoint: Checkpoint,
        done: float,
        now: float,  # noqa: ARG002 - the port's
    ) -> None:
        kept = self._claimed(claim)
        for segment in segments:
            kept.segments.setdefault((segment.channel, segment.transcript.segment_id), segment)
        kept.checkpoints[channel] = checkpoint
        self._progressed(kept, claim, done)

    async def finish(self, claim: Claim, *, now: float, duration: float, warnings: Sequence[JobWarning] = ()) -> Job:
        return self._store(life.finish(self._claimed(claim).job, now=now, duration=duration, warnings=warnings))

    async def fail(self, claim: Claim, error: JobError, *, now: float, retry_at: float | None) -> Job:
        job = self._claimed(claim).job
        return self._store(life.fail(job, error, now=now, retry_at=retry_at, max_attempts=self._options.max_attempts))

    async def release(self, claim: Claim, *, now: float) -> None:
        try:
            job = self._claimed(claim).job
        except ClaimLost:
            return
        self._store(life.release(job, now=now))

    async def cancel(self, job_id: str, *, now: float) -> Job | None:
        kept = self._kept.get(job_id)
        step = life.cancel(kept.job, now=now) if kept else None
        if not kept or not step:
            return kept.job if kept else None
        return self._store(step)

    async def retry(self, job_id: str, *, now: float) -> Job | None:
        kept = self._kept.get(job_id)
        step = life.retry(kept.job, now=now) if kept else None
        if not kept or not step:
            return kept.job if kept else None
        check_queue(self._queued_of(kept.job.tenant), self._options.max_queued)
        kept.segments.clear()
        kept.checkpoints.clear()
        return self._store(step)

    async def delete(self, job_id: str, *, only_over: bool = False) -> Job | None:
        kept = self._kept.get(job_id)
        if kept is None or (only_over and not kept.job.status.over):
            return None
        del self._kept[job_id]
        self._tell(life.delete(kept.job))
        return kept.job

    async def forget_audio(self, job_id: str) -> Job | None:
        kept = self._kept.get(job_id)
        step = life.forget_audio(kept.job) if kept else None
        if not kept or not step:
            return None
        before = kept.job
        self._store(step)
        return before

    async def unnamed(self, keys: Sequence[str]) -> Sequence[str]:
        named = {kept.job.recording.key for kept in self._kept.values()}
        return [key for key in keys if key not in named]

    async def purge(self) -> None:
        pass

    async def take_turn(self, chore: str, worker: str, *, now: float, lease: float) -> bool:
        holder, until = self._chores.get(chore, (worker, now))
        if holder != worker and now < until:
            return False
        self._chores[chore] = worker, now + lease
        return True

    async def history(self, query: JobQuery) -> JobPage:
        last = read_cursor(query.cursor)
        found = (kept.job for kept in self._kept.values() if asked_for(kept.job, query) and comes_after(kept.job, last))
        return page(sorted(found, key=age, reverse=True)[: query.limit + 1], query.limit)

    async def position(self, job_id: str) -> int | None:
        kept = self._kept.get(job_id)
        if not kept or kept.job.status is not JobStatus.QUEUED:
            return None
        queued = self._jobs(JobStatus.QUEUED)
        same = [job for job in queued if (job.tenant, job.priority) == (kept.job.tenant, kept.job.priority)]
        return position(
            Counter((RANK[job.priority], job.tenant) for job in queued),
            sorted(self._turns, key=self._turns.__getitem__),
            rank=RANK[kept.job.priority],
            tenant=kept.job.tenant,
            older=sum(age(job) < age(kept.job) for job in same),
        )

    async def state(self, *, tenant: str | None, now: float) -> QueueState:
        jobs = [kept.job for kept in self._kept.values() if tenant in {None, kept.job.tenant}]
        count = Counter(job.status for job in jobs)
        queued = [job for job in jobs if job.status is JobStatus.QUEUED]
        alive = {job.worker for job in jobs if job.status is JobStatus.RUNNING and self._kept[job.job_id].until > now}
        return QueueState(
            queued=count[JobStatus.QUEUED],
            running=count[JobStatus.RUNNING],
            done=count[JobStatus.DONE],
            failed=count[JobStatus.FAILED],
            cancelled=count[JobStatus.CANCELLED],
            oldest=min((job.created for job in queued), default=None),
            waiting_audio=sum(job.recording.duration or 0.0 for job in queued),
            workers=tuple(sorted(alive)),
        )

    async def spent(self, tenant: str, *, day: int) -> float:
        return self._accounts[tenant, day] / 1000

    async def claim_delivery(self, *, now: float, lease: float) -> Delivery | None:
        waiting = [(kept.due, kept.job.job_id) for kept in self._kept.values() if kept.due is not None and kept.due <= now]
        if not waiting:
            return None
        kept = self._kept[min(waiting)[1]]
        kept.due = now + lease
        kept.attempt += 1
        kept.deliveries += 1
        return Delivery(job=kept.job, attempt=kept.attempt, fence=kept.deliveries)

    async def settle_delivery(self, delivery: Delivery, *, told: bool, now: float, retry_at: float | None = None) -> None:
        kept = self._kept.get(delivery.job.job_id)
        if kept is None or kept.due is None or kept.deliveries != delivery.fence:
            return
        kept.due = None if told else retry_at
        if step := life.settle(kept.job, told=told, now=now, retry_at=retry_at):
            self._tell(step)

    def changes(self, job_id: str) -> AbstractAsyncContextManager[AsyncIterator[None]]:
        return self._watchers.watch(job_id)

    async def close(self) -> None:
        self._watchers.close()

    def _jobs(self, status: JobStatus) -> list[Job]:
        return [kept.job for kept in self._kept.values() if kept.job.status is status]

    def _queued_of(self, tenant: str) -> int:
        return sum(job.tenant == tenant for job in self._jobs(JobStatus.QUEUED))

    def _take_turn(self, tenant: str) -> None:
        self._turns[tenant] = max(self._turns.values(), default=0) + 1

    def _claimed(self, claim: Claim) -> _Kept:
        kept = self._kept.get(claim.job.job_id)
        if kept is None or kept.job.status is not JobStatus.RUNNING or kept.fence != claim.fence:
            raise ClaimLost(life.LOST)
        return kept

    def _progressed(self, kept: _Kept, claim: Claim, done: float) -> Claim:
        kept.job, spent = life.progress(kept.job, done)
        self._spend(kept.job.tenant, spent)
        self._watchers.changed(kept.job.job_id)
        return Claim(job=kept.job, worker=claim.worker, fence=claim.fence, until=kept.until, checkpoints=claim.checkpoints)

    def _store(self, step: Step) -> Job:
        kept = self._kept[step.job.job_id]
        kept.job = step.job
        if step.verb in {*ENDS, Verb.RETRY}:
            kept.due, kept.attempt = step.due, 0
        self._tell(step)
        return step.job

    def _tell(self, step: Step) -> None:
        self._spend(step.job.tenant, step.spent)
        self._watchers.changed(step.job.job_id)
        if self._observe is not None:
            self._observe(step)

    def _spend(self, tenant: str, spent: Spent | None) -> None:
        if spent is not None:
            self._accounts[tenant, spent.day] += spent.audio
            for account in [account for account in self._accounts if account[1] < spent.day - KEPT_DAYS]:
                del self._accounts[account]
