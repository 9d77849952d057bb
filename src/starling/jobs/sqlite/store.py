"""``JobStore`` on one SQLite file: a thread that writes, one that reads, and somebody who looks whether other processes wrote."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from starling.core.errors import StoreFull, StoreUnavailable
from starling.core.jobs import Claim, Delivery, Job, JobError, JobPage, JobQuery, JobSegment, JobWarning, QueueState
from starling.core.load import Priority
from starling.core.records import Checkpoint
from starling.jobs.life import Observer, Step
from starling.jobs.offload import Offload, OneThread
from starling.jobs.options import StoreOptions
from starling.jobs.order import ranks
from starling.jobs.sqlite.database import Database
from starling.jobs.sqlite.looking import Looking
from starling.jobs.sqlite.queue import Queue
from starling.jobs.watching import Watchers

T = TypeVar("T")

LOOK: Final = 0.1
"""Seconds between two looks whether another process wrote something, while somebody watches a job."""


class SqliteJobStore:
    """Jobs at ``path``, which is made if there is nothing. Any number of processes of one host may have it open.

    Not for a file on a network: its locks and its shared memory do not work there. ``patient``: what cannot be opened now is
    opened later, and StoreUnavailable is raised by methods until then, and not here.
    """

    def __init__(
        self,
        path: Path,
        options: StoreOptions | None = None,
        *,
        observe: Observer | None = None,
        offload: Offload | None = None,
        patient: bool = False,
    ) -> None:
        self._written = Database(path, patient=patient)
        self._read = Database(path, patient=patient)
        self._queue = Queue(self._written, options or StoreOptions())
        self._looking = Looking(self._read)
        self._observe = observe
        self._threads = [] if offload else [OneThread("jobs-write"), OneThread("jobs-read")]
        self._writing: Offload = offload or self._threads[0]
        self._reading: Offload = offload or self._threads[1]
        self._watchers = Watchers()
        self._look: asyncio.Task[None] | None = None
        self._closed = False

    async def submit(self, job: Job, *, idempotency_key: str = "") -> Job:
        return await self._change(lambda: self._queue.submit(job, idempotency_key))

    async def get(self, job_id: str) -> Job | None:
        return await self._reading(lambda: self._looking.get(job_id))

    async def segments(self, job_id: str, *, after: int = 0) -> Sequence[JobSegment]:
        return await self._reading(lambda: self._looking.segments(job_id, after))

    async def claim(
        self,
        worker: str,
        *,
        now: float,
        lease: float,
        priorities: Collection[Priority] = tuple(Priority),
        left_out: float | None = None,
    ) -> Claim | None:
        return await self._change(lambda: self._queue.claim(worker, now, lease, ranks(priorities), left_out))

    async def heartbeat(self, claim: Claim, *, done: float, now: float, lease: float) -> Claim:
        renewed = await self._change(lambda: self._queue.heartbeat(claim, done, now, lease))
        self._watchers.changed(claim.job.job_id)
        return renewed

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
        await self._change(lambda: self._queue.add(claim, segments, channel, checkpoint, done))
        self._watchers.changed(claim.job.job_id)

    async def finish(self, claim: Claim, *, now: float, duration: float, warnings: Sequence[JobWarning] = ()) -> Job:
        return await self._change(lambda: self._queue.finish(claim, now, duration, warnings))

    async def fail(self, claim: Claim, error: JobError, *, now: float, retry_at: float | None) -> Job:
        return await self._change(lambda: self._queue.fail(claim, error, now, retry_at))

    async def release(self, claim: Claim, *, now: float) -> None:
        await self._change(lambda: self._queue.release(claim, now))

    async def cancel(self, job_id: str, *, now: float) -> Job | None:
        return await self._change(lambda: self._queue.cancel(job_id, now), frees=True)

    async def retry(self, job_id: str, *, now: float) -> Job | None:
        return await self._change(lambda: self._queue.retry(job_id, now))

    async def delete(self, job_id: str, *, only_over: bool = False) -> Job | None:
        return await self._change(
            lambda: self._queue.delete(job_id, only_over=only_over),
            frees=True,
            first=lambda: self._in_pieces(job_id, only_over=only_over),
        )

    async def forget_audio(self, job_id: str) -> Job | None:
        return await self._change(lambda: self._queue.forget_audio(job_id), frees=True)

    async def unnamed(self, keys: Sequence[str]) -> Sequence[str]:
        return await self._reading(lambda: self._looking.unnamed(keys))

    async def purge(self) -> None:
        while await self._change(self._written.shrink, frees=True):
            pass
        await self._writing(self._written.reserve_room)

    async def take_turn(self, chore: str, worker: str, *, now: float, lease: float) -> bool:
        return await self._change(lambda: self._queue.take_turn(chore, worker, now, lease))

    async def history(self, query: JobQuery) -> JobPage:
        return await self._reading(lambda: self._looking.history(query))

    async def position(self, job_id: str) -> int | None:
        return await self._reading(lambda: self._looking.position(job_id))

    async def state(self, *, tenant: str | None, now: float) -> QueueState:
        return await self._reading(lambda: self._looking.state(tenant, now))

    async def spent(self, tenant: str, *, day: int) -> float:
        return await self._reading(lambda: self._looking.spent(tenant, day))

    async def claim_delivery(self, *, now: float, lease: float) -> Delivery | None:
        return await self._change(lambda: self._queue.claim_delivery(now, lease))

    async def settle_delivery(self, delivery: Delivery, *, told: bool, now: float, retry_at: float | None = None) -> None:
        await self._change(lambda: self._queue.settle_delivery(delivery, told, now, retry_at))

    @asynccontextmanager
    async def changes(self, job_id: str) -> AsyncIterator[AsyncIterator[None]]:
        async with self._watchers.watch(job_id) as rings:
            if self._look is None or self._look.done():
                self._look = asyncio.create_task(self._look_around(), name="changes of jobs")
            yield rings

    async def _look_around(self) -> None:
        """As long as somebody watches, tell of what other processes did."""
        version, known = -1, dict[str, int]()
        while watched := self._watchers.watched:
            with suppress(StoreUnavailable):  # those who watch look themselves, and hear of it
                now = await self._reading(self._read.version)
                if now != version or not known.keys() >= set(watched):
                    revisions = await self._reading(partial(self._looking.revisions, watched))
                    for job_id in watched:
                        if known.get(job_id) != revisions.get(job_id, -1):
                            self._watchers.changed(job_id)
                    version, known = now, {job_id: revisions.get(job_id, -1) for job_id in watched}
            await asyncio.sleep(LOOK)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._watchers.close()
        if self._look is not None:
            self._look.cancel()
            await asyncio.wait([self._look])
        await self._reading(self._read.close)
        await self._writing(self._written.close)
        for thread in self._threads:
            thread.close()

    async def _change(self, call: Callable[[], T], *, frees: bool = False, first: Callable[[], None] | None = None) -> T:
        """Run it, and tell what happened, whether or not anybody still waits for the answer.

        ``frees``: it makes room, so on a full disk it gets what is reserved; ``first``: what to do there before it.
        """
        loop = asyncio.get_running_loop()

        def change() -> T:
            self._queue.take_steps()
            try:
                answer = call()
            except StoreFull:
                if not (frees and self._written.make_room()):
                    raise
                try:
                    if first is not None:
                        first()
                    self._queue.take_steps()
                    answer = call()
                finally:
                    with suppress(StoreUnavailable):
                        self._written.reserve_room()
            loop.call_soon_threadsafe(self._tell, self._queue.take_steps())
            return answer

        return await self._writing(change)

    def _in_pieces(self, job_id: str, *, only_over: bool) -> None:
        """Delete what was found of a job with little room, before the job: a crash in between leaves that to be deleted."""
        while self._queue.thin(job_id, only_over=only_over):
            self._written.empty_log()

    def _tell(self, steps: list[Step]) -> None:
        for step in steps:
            self._watchers.changed(step.job.job_id)
            if self._observe is not None:
                self._observe(step)
