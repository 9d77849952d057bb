"""Whatever is done to jobs, by whomever, in whatever order: a store does the same as its twin in memory, and the laws hold.

A test module inherits JobMachine and says how to open its store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contracts.job_store_contract import CONFIG, ERROR, LEASE, NOW, TODAY, checkpoint, job, segment
from starling.core.errors import StarlingError
from starling.core.job_store import JobStore
from starling.core.jobs import Claim, Delivery, Job, JobOptions, JobQuery, JobSegment, JobStatus
from starling.core.load import Priority
from starling.jobs.life import NEXT, Observer, Step, Verb
from starling.jobs.memory import MemoryJobStore
from starling.jobs.options import StoreOptions

T = TypeVar("T")

OPTIONS = StoreOptions(max_attempts=3, max_queued=4)

PICKS = st.integers(0, 1 << 20)
"""Which one of what there is, counted round and round."""

MACHINE_SETTINGS = settings(max_examples=30, stateful_step_count=40, deadline=None)


class JobMachine(RuleBasedStateMachine):
    def open_store(self, options: StoreOptions, observe: Observer) -> JobStore:
        """A new store without jobs."""
        raise NotImplementedError

    def close_store(self) -> None:
        """What is left to do after the store is closed."""

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.steps: list[Step] = []
        self.told = 0
        self.now = NOW
        self.store = self._run(self._opened())
        self.twin = MemoryJobStore(OPTIONS)
        self.ids: list[str] = []
        self.statuses: dict[str, JobStatus] = {}
        self.claims: list[Claim] = []
        self.deliveries: list[Delivery] = []
        self.fences: set[tuple[str, int]] = set()

    async def _opened(self) -> JobStore:
        return self.open_store(OPTIONS, self.steps.append)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self._run(self.store.close())
            self.close_store()
            self.loop.close()

    def _run(self, call: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(call)

    def _both(self, call: Callable[[JobStore], Awaitable[T]]) -> T | None:
        """What both answer; None if both raise the same."""

        async def outcome(store: JobStore) -> tuple[T | None, type[StarlingError] | None]:
            try:
                return await call(store), None
            except StarlingError as error:
                return None, type(error)

        ours, theirs = self._run(outcome(self.store)), self._run(outcome(self.twin))
        assert ours == theirs
        return ours[0]

    # --- what may happen ---

    @rule(
        tenant=st.sampled_from("ab"),
        priority=st.sampled_from(Priority),
        age=st.integers(0, 3),
        key=st.sampled_from(["", "", "k1", "k2"]),
        words=st.booleans(),
        callback=st.booleans(),
    )
    def submit(self, *, tenant: str, priority: Priority, age: int, key: str, words: bool, callback: bool) -> None:
        new = job(f"{len(self.ids):04}", tenant=tenant, priority=priority, created=self.now - age)
        asked = JobOptions(config=CONFIG.updated(words=words), callback=new.options.callback if callback else None)
        new = replace(new, options=asked)
        if (answer := self._both(lambda store: store.submit(new, idempotency_key=key))) == new:
            self.ids.append(new.job_id)
        elif answer is not None:
            assert key, "only a key makes two submissions one"

    @rule(
        worker=st.sampled_from("vw"),
        priorities=st.sets(st.sampled_from(Priority), min_size=1),
        waited=st.sampled_from([None, None, 0, 2]),
    )
    def claim(self, worker: str, priorities: set[Priority], waited: int | None) -> None:
        left_out = None if waited is None else self.now - waited
        claim = self._both(lambda store: store.claim(worker, now=self.now, lease=LEASE, priorities=priorities, left_out=left_out))
        if claim is not None:
            assert (claim.job.job_id, claim.fence) not in self.fences, "a fence came twice"
            self.fences.add((claim.job.job_id, claim.fence))
            self.claims.append(claim)

    @precondition(lambda self: self.claims)
    @rule(pick=PICKS, done=st.integers(0, 60))
    def heartbeat(self, pick: int, done: int) -> None:
        claim = self._claim(pick)
        self._both(lambda store: store.heartbeat(claim, done=float(done), now=self.now, lease=LEASE))

    @precondition(lambda self: self.claims)
    @rule(pick=PICKS, channel=st.integers(0, 1), first=st.integers(0, 4), count=st.integers(0, 3))
    def add(self, pick: int, channel: int, first: int, count: int) -> None:
        claim, end = self._claim(pick), first + count
        found = [segment(number, channel, text=f"as found by {claim.fence}") for number in range(first, end)]
        point = checkpoint(end * 1000, end)
        self._both(lambda store: store.add(claim, found, channel=channel, checkpoint=point, done=float(end), now=self.now))

    @precondition(lambda self: self.claims)
    @rule(pick=PICKS)
    def finish(self, pick: int) -> None:
        claim = self._claim(pick)
        self._both(lambda store: store.finish(claim, now=self.now, duration=61.5))

    @precondition(lambda self: self.claims)
    @rule(pick=PICKS, wait=st.sampled_from([None, 0.0, 5.0]))
    def fail(self, pick: int, wait: float | None) -> None:
        claim, retry_at = self._claim(pick), None if wait is None else self.now + wait
        self._both(lambda store: store.fail(claim, ERROR, now=self.now, retry_at=retry_at))

    @precondition(lambda self: self.claims)
    @rule(pick=PICKS)
    def release(self, pick: int) -> None:
        claim = self._claim(pick)
        self._both(lambda store: store.release(claim, now=self.now))

    @precondition(lambda self: self.ids)
    @rule(pick=PICKS, what=st.sampled_from(["cancel", "retry", "delete", "forget_audio"]))
    def meddle(self, pick: int, what: str) -> None:
        job_id = self.ids[pick % len(self.ids)]

        def call(store: JobStore) -> Awaitable[Job | None]:
            match what:
                case "cancel":
                    return store.cancel(job_id, now=self.now)
                case "retry":
                    return store.retry(job_id, now=self.now)
                case "delete":
                    return store.delete(job_id)
                case _:
                    return store.forget_audio(job_id)

        self._both(call)

    @rule()
    def claim_delivery(self) -> None:
        delivery = self._both(lambda store: store.claim_delivery(now=self.now, lease=LEASE))
        if delivery is not None:
            self.deliveries.append(delivery)

    @precondition(lambda self: self.deliveries)
    @rule(pick=PICKS, told=st.booleans(), again=st.booleans())
    def settle_delivery(self, pick: int, *, told: bool, again: bool) -> None:
        delivery = self.deliveries[-1 - pick % min(3, len(self.deliveries))]
        retry_at = self.now + 3 if again else None
        self._both(lambda store: store.settle_delivery(delivery, told=told, now=self.now, retry_at=retry_at))

    @rule(seconds=st.sampled_from([1.0, 4.0, LEASE]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    def _claim(self, pick: int) -> Claim:
        """A recent one, mostly: of old ones there are soon many, and all are refused."""
        return self.claims[-1 - pick % min(4, len(self.claims))]

    # --- what holds ---

    @invariant()
    def every_step_was_legal_and_was_told(self) -> None:
        self._run(asyncio.sleep(0))
        for step in self.steps[self.told :]:
            job_id, before = step.job.job_id, self.statuses.pop(step.job.job_id, None)
            match step.verb:
                case Verb.SUBMIT:
                    assert before is None
                case Verb.DELETE:
                    assert before is step.job.status
                    continue
                case _:
                    assert before is not None
                    assert NEXT[before, step.verb] is step.job.status
            self.statuses[job_id] = step.job.status
        self.told = len(self.steps)

    @invariant()
    def no_job_is_lost_and_none_is_there_twice(self) -> None:
        page = self._both(lambda store: store.history(JobQuery(tenant=None, limit=1000)))
        assert page is not None
        found = {each.job_id: each.status for each in page.jobs}
        assert len(page.jobs) == len(found)
        assert found == self.statuses
        state = self._both(lambda store: store.state(tenant=None, now=self.now))
        assert state is not None
        counts = [state.queued, state.running, state.done, state.failed, state.cancelled]
        assert counts == [sum(status is kind for status in found.values()) for kind in JobStatus]
        for tenant in "ab":
            self._both(lambda store, tenant=tenant: store.state(tenant=tenant, now=self.now))  # type: ignore[misc]

    @invariant()
    def each_segment_is_there_once_and_checkpoints_stay_within_what_was_found(self) -> None:
        for job_id in self.ids:
            found = self._both(partial(self._segments, job_id))
            assert found is not None
            ids = [(each.channel, each.transcript.segment_id) for each in found]
            assert len(ids) == len(set(ids))
            assert not ids or job_id in self.statuses

    @staticmethod
    async def _segments(job_id: str, store: JobStore) -> list[JobSegment]:
        return list(await store.segments(job_id))

    @invariant()
    def accounts_are_the_same_and_nobody_owes_less_than_nothing(self) -> None:
        for tenant in "ab":
            spent = self._both(lambda store, tenant=tenant: store.spent(tenant, day=TODAY))  # type: ignore[misc]
            assert spent is not None
            assert spent >= 0.0

    @invariant()
    def what_waits_has_one_order(self) -> None:
        positions = [self._both(lambda store, job_id=job_id: store.position(job_id)) for job_id in self.ids]  # type: ignore[misc]
        waiting = [position for position in positions if position is not None]
        assert sorted(waiting) == list(range(len(waiting)))
        queued = [status for status in self.statuses.values() if status is JobStatus.QUEUED]
        assert len(waiting) == len(queued)
