"""``JobStore`` on Redis: what becomes of a job is decided by ``life``, and done as ``changing`` says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from starling.core.errors import ClaimLost
from starling.core.jobs import Claim, Delivery, Job, JobError, JobPage, JobQuery, JobSegment, JobStatus, JobWarning, QueueState
from starling.core.load import Priority
from starling.core.records import Checkpoint
from starling.jobs import life
from starling.jobs.asking import check_new, check_queue, check_same, fingerprint
from starling.jobs.life import Observer, Step
from starling.jobs.options import StoreOptions
from starling.jobs.order import ranks
from starling.jobs.redis.changing import CROWDED, Changing, crowded
from starling.jobs.redis.connection import Connection
from starling.jobs.redis.listening import Listening
from starling.jobs.redis.looking import Looking
from starling.jobs.redis.scripts import DONE, LONG_AGO, PICK, TAKE_CHORE, TAKE_OVER
from starling.jobs.redis.writing import (
    Change,
    Command,
    Kept,
    by_step,
    deadline,
    due_at,
    history,
    spending,
    stored,
    unpack_checkpoints,
    unpack_segment,
)
from starling.jobs.watching import Watchers

TAKING_OVER: Final = 10.0
"""Seconds to say what becomes of a job whose worker is dead; if that is not done, another one does it."""

FORGOTTEN: Final = 86_400.0
"""Seconds after which a worker that has nothing is forgotten."""


class RedisJobStore:
    """See ``Connection`` for ``url`` and ``prefix``. The clocks of the hosts that share it must agree, a second more or less.

    Raises InvalidOption for a URL that is none, and later where Redis is not as it must be.
    """

    def __init__(
        self, url: str, options: StoreOptions | None = None, *, prefix: str = "starling:jobs:", observe: Observer | None = None
    ) -> None:
        self._options = options or StoreOptions()
        self._observe = observe
        self._connection = Connection(url, prefix)
        self._looking = Looking(self._connection)
        self._watchers = Watchers()
        self._listening = Listening(self._connection, self._watchers)
        self._changing = Changing(self._connection, self._tell)

    async def submit(self, job: Job, *, idempotency_key: str = "") -> Job:
        queued = history(job.tenant, JobStatus.QUEUED)
        submissions = f"submissions:{job.tenant}"
        conditions: list[Command] = [
            ("is", f"job:{job.job_id}", "revision", ""),
            ("below", queued, str(self._options.max_queued)),
        ]
        submitted = life.submit(job)
        steps: list[Command] = [("TURN", job.tenant, "NX"), *stored(None, job), *spending(job.tenant, submitted.spent)]
        if idempotency_key:
            conditions.insert(0, ("is", submissions, idempotency_key, ""))
            steps.append(("HSET", submissions, idempotency_key, job.job_id))
            steps.append(("HSET", f"job:{job.job_id}", "key", idempotency_key, "fingerprint", fingerprint(job)))
        for _ in range(CROWDED):
            failed = await self._changing.send(job.job_id, conditions, steps, submitted)
            if failed == DONE:
                return job
            match conditions[failed - 1][:2]:
                case ("is", where) if where == submissions:
                    known = await self._connection.run("HGET", submissions, idempotency_key)
                    kept = await self._changing.kept(known.decode()) if known else None
                    if kept is not None:
                        check_same(job, kept.fingerprint)
                        return kept.job
                case ("below", _):
                    check_queue(self._options.max_queued, self._options.max_queued)
                case _:
                    check_new(job, known=True)
        raise crowded()

    async def get(self, job_id: str) -> Job | None:
        kept = await self._changing.kept(job_id)
        return kept.job if kept else None

    async def segments(self, job_id: str, *, after: int = 0) -> Sequence[JobSegment]:
        records = await self._connection.run("LRANGE", f"segments:{job_id}", after, -1)
        return [unpack_segment(record) for record in records]

    async def claim(
        self,
        worker: str,
        *,
        now: float,
        lease: float,
        priorities: Collection[Priority] = tuple(Priority),
        left_out: float | None = None,
    ) -> Claim | None:
        await self._take_over(worker, now)
        by = "" if left_out is None else repr(left_out)
        for _ in range(CROWDED):
            picked = await self._connection.script(PICK, repr(now), by, *map(str, ranks(priorities)))
            if picked is None:
                return None
            if (claim := await self._claim(picked.decode(), worker, now, lease)) is not None:
                return claim
        raise crowded()

    async def _take_over(self, worker: str, now: float) -> None:
        """Say what becomes of jobs whose lease ran out."""
        renewed = deadline(now + TAKING_OVER)
        expired = await self._connection.script(TAKE_OVER, worker, round(now * 1000), renewed, LONG_AGO)

        def decide(kept: Kept) -> Change | None:
            if kept.job.status is not JobStatus.RUNNING:
                return None
            if kept.until > now:
                return Change(kept.job, (("RENEW", kept.job.worker, deadline(kept.until)),))
            return by_step(life.expire(kept.job, now=now, max_attempts=self._options.max_attempts))

        for job_id in expired:
            await self._changing.of(job_id.decode(), decide)

    async def _claim(self, job_id: str, worker: str, now: float, lease: float) -> Claim | None:
        """None if another one was quicker."""
        kept = await self._changing.kept(job_id)
        if kept is None or kept.job.status is not JobStatus.QUEUED or kept.job.not_before > now:
            return None
        step = life.claim(kept.job, worker, now=now)
        fence, until = kept.fence + 1, now + lease
        change = by_step(
            step,
            ("HSET", f"job:{job_id}", "fence", str(fence), "until", repr(until)),
            ("TURN", step.job.tenant, "XX"),
            ("TAKE", worker, deadline(until)),
        )
        found = await self._connection.read([("HGETALL", f"checkpoints:{job_id}")])
        if not await self._changing.commit(kept, change):
            return None
        checkpoints = unpack_checkpoints(_pairs(found[0]))
        return Claim(job=step.job, worker=worker, fence=fence, until=until, checkpoints=checkpoints)

    async def heartbeat(self, claim: Claim, *, done: float, now: float, lease: float) -> Claim:
        until = now + lease

        def decide(kept: Kept) -> Change:
            renewed = ("HSET", f"job:{kept.job.job_id}", "until", repr(until)), ("RENEW", claim.worker, deadline(until))
            job, spent = life.progress(_held(kept, claim), done)
            return Change(job, (*renewed, *spending(job.tenant, spent)))

        job = await self._changing.of_claim(claim, decide)
        return Claim(job=job, worker=claim.worker, fence=claim.fence, until=until, checkpoints=claim.checkpoints)

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
        job_id = claim.job.job_id
        named = {f"{each.channel}:{each.transcript.segment_id}": each for each in reversed(segments)}
        names = list(reversed(named))

        async def look() -> tuple[Command, ...]:
            known = await self._connection.read([("SISMEMBER", f"found:{job_id}", name) for name in names])
            steps: list[Command] = [("HSET", f"checkpoints:{job_id}", str(channel), msgspec.json.encode(checkpoint).decode())]
            for name, there in zip(names, known, strict=True):
                if not there:
                    steps.append(("SADD", f"found:{job_id}", name))
                    steps.append(("RPUSH", f"segments:{job_id}", msgspec.json.encode(named[name]).decode()))
            return tuple(steps)

        for _ in range(CROWDED):
            kept = await self._changing.kept(job_id)
            if kept is None:
                raise ClaimLost(life.LOST)
            job, spent = life.progress(_held(kept, claim), done)
            if await self._changing.commit(kept, Change(job, (*await look(), *spending(job.tenant, spent)))):
                return
        raise crowded()

    async def finish(self, claim: Claim, *, now: float, duration: float, warnings: Sequence[JobWarning] = ()) -> Job:
        return await self._changing.of_claim(
            claim, lambda kept: by_step(life.finish(_held(kept, claim), now=now, duration=duration, warnings=warnings))
        )

    async def fail(self, claim: Claim, error: JobError, *, now: float, retry_at: float | None) -> Job:
        most = self._options.max_attempts
        return await self._changing.of_claim(
            claim, lambda kept: by_step(life.fail(_held(kept, claim), error, now=now, retry_at=retry_at, max_attempts=most))
        )

    async def release(self, claim: Claim, *, now: float) -> None:
        await self._changing.of(
            claim.job.job_id, lambda kept: by_step(life.release(kept.job, now=now)) if _holds(kept, claim) else None
        )

    async def cancel(self, job_id: str, *, now: float) -> Job | None:
        def decide(kept: Kept) -> Change | None:
            step = life.cancel(kept.job, now=now)
            return by_step(step) if step else None

        return await self._changing.of(job_id, decide)

    async def retry(self, job_id: str, *, now: float) -> Job | None:
        most = self._options.max_queued

        def decide(kept: Kept) -> Change | None:
            step = life.retry(kept.job, now=now)
            if step is None:
                return None
            fresh = [("DEL", f"{kind}:{job_id}") for kind in ("segments", "found", "checkpoints")]
            queued = history(step.job.tenant, JobStatus.QUEUED)
            return by_step(step, *fresh, conditions=(("below", queued, str(most)),))

        return await self._changing.of(job_id, decide, full=lambda: check_queue(most, most))

    async def delete(self, job_id: str, *, only_over: bool = False) -> Job | None:
        was: list[Job] = []

        def decide(kept: Kept) -> Change | None:
            was[:] = []
            if only_over and not kept.job.status.over:
                return None
            was.append(kept.job)
            forgotten = (("HDEL", f"submissions:{kept.job.tenant}", kept.key),) if kept.key else ()
            deleted = life.delete(kept.job)
            return Change(None, (*forgotten, *spending(deleted.job.tenant, deleted.spent)), told=deleted)

        await self._changing.of(job_id, decide)
        return was[0] if was else None

    async def forget_audio(self, job_id: str) -> Job | None:
        was: list[Job] = []

        def decide(kept: Kept) -> Change | None:
            step = life.forget_audio(kept.job)
            was[:] = [kept.job] if step else []
            return by_step(step) if step else None

        await self._changing.of(job_id, decide)
        return was[0] if was else None

    async def unnamed(self, keys: Sequence[str]) -> Sequence[str]:
        return await self._looking.unnamed(keys)

    async def purge(self) -> None:
        """Redis gives memory back by itself, and rewrites its files when it is time (``auto-aof-rewrite-percentage``)."""
        await self._connection.drop_consumers(FORGOTTEN)

    async def take_turn(self, chore: str, worker: str, *, now: float, lease: float) -> bool:
        return bool(await self._connection.script(TAKE_CHORE, chore, worker, repr(now), repr(now + lease)))

    async def history(self, query: JobQuery) -> JobPage:
        return await self._looking.history(query)

    async def position(self, job_id: str) -> int | None:
        job = await self.get(job_id)
        return await self._looking.position(job) if job else None

    async def state(self, *, tenant: str | None, now: float) -> QueueState:
        return await self._looking.state(tenant, now)

    async def spent(self, tenant: str, *, day: int) -> float:
        return int(await self._connection.run("HGET", f"spent:{day}", tenant) or 0) / 1000

    async def claim_delivery(self, *, now: float, lease: float) -> Delivery | None:
        for _ in range(CROWDED):
            found = await self._connection.run("ZRANGE", "due", "-inf", repr(now), "BYSCORE", "LIMIT", 0, 1)
            if not found:
                return None
            kept = await self._changing.kept(found[0].decode())
            if kept is None:
                continue
            job_id, attempt, fence = kept.job.job_id, kept.attempt + 1, kept.deliveries + 1
            steps = (*due_at(job_id, now + lease, attempt=attempt), ("HSET", f"job:{job_id}", "deliveries", str(fence)))
            if await self._changing.commit(kept, Change(kept.job, steps)):
                return Delivery(job=kept.job, attempt=attempt, fence=fence)
        raise crowded()

    async def settle_delivery(self, delivery: Delivery, *, told: bool, now: float, retry_at: float | None = None) -> None:
        def decide(kept: Kept) -> Change | None:
            if not kept.due or kept.deliveries != delivery.fence:
                return None
            steps = due_at(kept.job.job_id, None if told else retry_at, attempt=kept.attempt)
            return Change(kept.job, steps, told=life.settle(kept.job, told=told, now=now, retry_at=retry_at))

        await self._changing.of(delivery.job.job_id, decide)

    @asynccontextmanager
    async def changes(self, job_id: str) -> AsyncIterator[AsyncIterator[None]]:
        async with self._watchers.watch(job_id) as rings:
            self._listening.begin()
            yield rings

    async def close(self) -> None:
        self._watchers.close()
        await self._listening.close()
        await self._changing.close()
        await self._connection.close()

    def _tell(self, step: Step) -> None:
        self._watchers.changed(step.job.job_id)
        if self._observe is not None:
            self._observe(step)


def _holds(kept: Kept, claim: Claim) -> bool:
    return kept.job.status is JobStatus.RUNNING and kept.fence == claim.fence


def _held(kept: Kept, claim: Claim) -> Job:
    if not _holds(kept, claim):
        raise ClaimLost(life.LOST)
    return kept.job


def _pairs(found: dict[bytes, bytes] | list[bytes]) -> dict[bytes, bytes]:
    """Redis answers a hash as a list, unless it was asked to do otherwise."""
    return found if isinstance(found, dict) else dict(zip(found[::2], found[1::2], strict=True))
