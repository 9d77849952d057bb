"""What changes jobs: each function is one transaction, and answers what happened too. On the thread of the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from starling.core.errors import ClaimLost
from starling.core.jobs import Claim, Delivery, Job, JobError, JobSegment, JobWarning
from starling.core.records import Checkpoint
from starling.jobs import life
from starling.jobs.asking import check_new, check_queue, check_same, fingerprint
from starling.jobs.life import ENDS, Spent, Step, Verb
from starling.jobs.options import KEPT_DAYS, StoreOptions
from starling.jobs.sqlite.database import Database
from starling.jobs.sqlite.rows import (
    Kept,
    is_running,
    read_checkpoints,
    read_job,
    unpack_job,
    write_checkpoint,
    write_job,
    write_segments,
)

_TAKE_TURN: Final = """
    INSERT INTO turns VALUES (?, (SELECT COALESCE(MAX(served), 0) + 1 FROM turns))
    ON CONFLICT (tenant) DO UPDATE SET served = excluded.served
"""

_SPEND: Final = "INSERT INTO accounts VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET audio = audio + excluded.audio"

_THIN: Final = """
    DELETE FROM segments WHERE ordinal IN (SELECT ordinal FROM segments WHERE job_id = ? LIMIT ?) RETURNING ordinal
"""

PIECE: Final = 100
"""Segments that are deleted at once where there is hardly any room: what is deleted is overwritten, so each takes room first."""

_ANY: Final = """
    SELECT 1 WHERE EXISTS (
        SELECT 1 FROM turns WHERE EXISTS (
            SELECT 1 FROM jobs WHERE status = 'queued' AND tenant = turns.tenant AND rank BETWEEN ? AND ?
        )
    ) OR EXISTS (SELECT 1 FROM jobs WHERE status = 'running' AND until <= ?)
"""

_EXPIRED: Final = "SELECT record FROM jobs WHERE status = 'running' AND until <= ?"

_NEXT: Final = """
    SELECT (
        SELECT job_id FROM jobs WHERE status = 'queued' AND tenant = turns.tenant AND rank = ? AND not_before <= ?
        ORDER BY created, job_id LIMIT 1
    ) AS oldest FROM turns WHERE oldest IS NOT NULL ORDER BY served LIMIT 1
"""

_LEFT_OUT: Final = """
    SELECT (
        SELECT job_id FROM jobs
        WHERE status = 'queued' AND tenant = turns.tenant AND rank IN (SELECT value FROM json_each(?))
        AND not_before <= ? AND created <= ?
        ORDER BY rank, created, job_id LIMIT 1
    ) AS oldest FROM turns WHERE oldest IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM jobs WHERE status = 'running' AND tenant = turns.tenant
    ) ORDER BY served LIMIT 1
"""


class Queue:
    """The changing half of a store. ``steps``: what happened since they were last taken."""

    def __init__(self, database: Database, options: StoreOptions) -> None:
        self._database = database
        self._options = options
        self._steps: list[Step] = []

    def take_steps(self) -> list[Step]:
        """What was done since; of a transaction that was undone, too: then nobody must be told."""
        steps, self._steps = self._steps, []
        return steps

    def submit(self, job: Job, idempotency_key: str) -> Job:
        with self._database.writing(lasts=True):
            if idempotency_key and (earlier := self._submitted(job, idempotency_key)):
                return earlier
            check_new(job, known=read_job(self._database, job.job_id) is not None)
            self._check_queue(job.tenant)
            self._database.run(_TAKE_TURN.partition("ON CONFLICT")[0] + "ON CONFLICT DO NOTHING", (job.tenant,))
            write_job(self._database, job)
            if idempotency_key:
                key = (job.tenant, idempotency_key, fingerprint(job), job.job_id)
                self._database.run("INSERT INTO submissions VALUES (?, ?, ?, ?)", key)
            self._take(life.submit(job))
            return job

    def _submitted(self, job: Job, idempotency_key: str) -> Job | None:
        rows = self._database.run(
            "SELECT fingerprint, record FROM submissions JOIN jobs USING (job_id) "
            "WHERE submissions.tenant = ? AND idempotency_key = ?",
            (job.tenant, idempotency_key),
        )
        for known, record in rows:
            check_same(job, known)
            return unpack_job(record)
        return None

    def claim(self, worker: str, now: float, lease: float, ranks: Sequence[int], left_out: float | None = None) -> Claim | None:
        """``ranks``: not empty, in order."""
        if not self._any(now, ranks, left_out):
            return None  # transcribers ask all the time: they keep nobody from writing
        with self._database.writing(lasts=False):
            for (record,) in self._database.run(_EXPIRED, (now,)):
                self._store(life.expire(unpack_job(record), now=now, max_attempts=self._options.max_attempts))
            for (job_id,) in self._next(now, ranks, left_out):
                return self._claim(job_id, worker, now, lease)
            return None

    def _any(self, now: float, ranks: Sequence[int], left_out: float | None) -> bool:
        if left_out is None:
            return bool(self._database.run(_ANY, (ranks[0], ranks[-1], now)))
        return bool(self._next(now, ranks, left_out) or self._database.run(_EXPIRED, (now,)))

    def _next(self, now: float, ranks: Sequence[int], left_out: float | None) -> list[tuple[Any, ...]]:
        """The id of one job at most."""
        if left_out is not None:
            return self._database.run(_LEFT_OUT, (str(list(ranks)), now, left_out))
        return next((found for rank in ranks if (found := self._database.run(_NEXT, (rank, now)))), [])

    def _claim(self, job_id: str, worker: str, now: float, lease: float) -> Claim:
        kept = read_job(self._database, job_id)
        assert kept is not None
        self._database.run(_TAKE_TURN, (kept.job.tenant,))
        job = self._store(life.claim(kept.job, worker, now=now))
        fence, until = kept.fence + 1, now + lease
        self._database.run("UPDATE jobs SET fence = ?, until = ? WHERE job_id = ?", (fence, until, job_id))
        return Claim(job=job, worker=worker, fence=fence, until=until, checkpoints=read_checkpoints(self._database, job_id))

    def heartbeat(self, claim: Claim, done: float, now: float, lease: float) -> Claim:
        with self._database.writing(lasts=False):
            job = self._progressed(claim, done)
            self._database.run("UPDATE jobs SET until = ? WHERE job_id = ?", (now + lease, job.job_id))
        return Claim(job=job, worker=claim.worker, fence=claim.fence, until=now + lease, checkpoints=claim.checkpoints)

    def add(self, claim: Claim, segments: Sequence[JobSegment], channel: int, checkpoint: Checkpoint, done: float) -> None:
        with self._database.writing(lasts=False):
            job = self._progressed(claim, done)
            write_segments(self._database, job.job_id, list(segments))
            write_checkpoint(self._database, job.job_id, channel, checkpoint)

    def _progressed(self, claim: Claim, done: float) -> Job:
        job, spent = life.progress(self._claimed(claim).job, done)
        self._spend(job.tenant, spent)
        return write_job(self._database, job)

    def finish(self, claim: Claim, now: float, duration: float, warnings: Sequence[JobWarning]) -> Job:
        with self._database.writing(lasts=True):
            return self._store(life.finish(self._claimed(claim).job, now=now, duration=duration, warnings=warnings))

    def fail(self, claim: Claim, error: JobError, now: float, retry_at: float | None) -> Job:
        with self._database.writing(lasts=True):
            job = self._claimed(claim).job
            return self._store(life.fail(job, error, now=now, retry_at=retry_at, max_attempts=self._options.max_attempts))

    def release(self, claim: Claim, now: float) -> None:
        with self._database.writing(lasts=False):
            kept = read_job(self._database, claim.job.job_id)
            if kept is not None and is_running(kept, claim.fence):
                self._store(life.release(kept.job, now=now))

    def cancel(self, job_id: str, now: float) -> Job | None:
        with self._database.writing(lasts=True):
            kept = read_job(self._database, job_id)
            if kept is None:
                return None
            step = life.cancel(kept.job, now=now)
            return self._store(step) if step else kept.job

    def retry(self, job_id: str, now: float) -> Job | None:
        with self._database.writing(lasts=True):
            kept = read_job(self._database, job_id)
            if kept is None:
                return None
            step = life.retry(kept.job, now=now)
            if step is None:
                return kept.job
            self._check_queue(kept.job.tenant)
            self._database.run("DELETE FROM segments WHERE job_id = ?", (job_id,))
            self._database.run("DELETE FROM checkpoints WHERE job_id = ?", (job_id,))
            return self._store(step)

    def delete(self, job_id: str, *, only_over: bool) -> Job | None:
        with self._database.writing(lasts=True):
            kept = read_job(self._database, job_id)
            if kept is None or (only_over and not kept.job.status.over):
                return None
            self._database.run("DELETE FROM jobs WHERE job_id = ?", (job_id,))
            self._take(life.delete(kept.job))
            return kept.job

    def thin(self, job_id: str, *, only_over: bool) -> bool:
        """Delete some of what was found of a job that is to be deleted; whether there was any."""
        with self._database.writing(lasts=False):
            kept = read_job(self._database, job_id)
            if kept is None or (only_over and not kept.job.status.over):
                return False
            return bool(self._database.run(_THIN, (job_id, PIECE)))

    def forget_audio(self, job_id: str) -> Job | None:
        with self._database.writing(lasts=True):
            kept = read_job(self._database, job_id)
            step = life.forget_audio(kept.job) if kept else None
            if kept is None or step is None:
                return None
            self._store(step)
            return kept.job

    def take_turn(self, chore: str, worker: str, now: float, lease: float) -> bool:
        with self._database.writing(lasts=False):
            rows = self._database.run("SELECT worker, until FROM chores WHERE chore = ?", (chore,))
            if any(holder != worker and now < until for holder, until in rows):
                return False
            self._database.run("INSERT OR REPLACE INTO chores VALUES (?, ?, ?)", (chore, worker, now + lease))
            return True

    def claim_delivery(self, now: float, lease: float) -> Delivery | None:
        if not self._database.run("SELECT 1 FROM jobs WHERE due <= ? LIMIT 1", (now,)):
            return None
        with self._database.writing(lasts=False):
            rows = self._database.run(
                "UPDATE jobs SET due = ?, attempt = attempt + 1, deliveries = deliveries + 1 "
                "WHERE job_id = (SELECT job_id FROM jobs WHERE due <= ? ORDER BY due, job_id LIMIT 1) "
                "RETURNING record, attempt, deliveries",
                (now + lease, now),
            )
            return next((Delivery(job=unpack_job(record), attempt=attempt, fence=fence) for record, attempt, fence in rows), None)

    def settle_delivery(self, delivery: Delivery, told: bool, now: float, retry_at: float | None) -> None:  # noqa: FBT001
        with self._database.writing(lasts=False):
            rows = self._database.run(
                "UPDATE jobs SET due = ? WHERE job_id = ? AND deliveries = ? AND due IS NOT NULL RETURNING record",
                (None if told else retry_at, delivery.job.job_id, delivery.fence),
            )
            for (record,) in rows:
                step = life.settle(unpack_job(record), told=told, now=now, retry_at=retry_at)
                self._steps += [step] if step else []

    def _check_queue(self, tenant: str) -> None:
        [(queued,)] = self._database.run("SELECT COUNT(*) FROM jobs WHERE tenant = ? AND status = 'queued'", (tenant,))
        check_queue(queued, self._options.max_queued)

    def _claimed(self, claim: Claim) -> Kept:
        kept = read_job(self._database, claim.job.job_id)
        if kept is None or not is_running(kept, claim.fence):
            raise ClaimLost(life.LOST)
        return kept

    def _take(self, step: Step) -> None:
        self._steps.append(step)
        self._spend(step.job.tenant, step.spent)

    def _spend(self, tenant: str, spent: Spent | None) -> None:
        if spent is not None:
            self._database.run(_SPEND, (spent.day, tenant, spent.audio))
            self._database.run("DELETE FROM accounts WHERE day < ?", (spent.day - KEPT_DAYS,))

    def _store(self, step: Step) -> Job:
        self._take(step)
        write_job(self._database, step.job)
        if step.verb in {*ENDS, Verb.RETRY}:
            self._database.run("UPDATE jobs SET due = ?, attempt = 0 WHERE job_id = ?", (step.due, step.job.job_id))
        return step.job
