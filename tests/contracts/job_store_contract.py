"""What every JobStore promises. A test module inherits JobStoreContract and says how to open its store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest

from patience import PATIENCE
from starling.core.config import SessionConfig
from starling.core.errors import ClaimLost, Conflict, InvalidOption, QuotaExceeded, RecordingGone
from starling.core.job_store import JobStore
from starling.core.jobs import (
    DAY,
    Callback,
    Channels,
    Charge,
    Claim,
    Job,
    JobError,
    JobOptions,
    JobQuery,
    JobSegment,
    JobStatus,
    JobWarning,
    RecordingInfo,
)
from starling.core.load import Priority
from starling.core.records import Checkpoint
from starling.core.tracing import SpanContext
from starling.core.transcript import Transcript, Word
from starling.jobs.life import Observer, Step, Verb
from starling.jobs.options import StoreOptions
from virtual_time import run

NOW = 1_700_000_000.0
TODAY = int(NOW) // DAY
LEASE = 30.0
CONFIG = SessionConfig(partials=False)
ERROR = JobError(code="corrupt_audio", message="expected audio, got something else", final=False)


def job(
    name: str = "a",
    *,
    tenant: str = "t",
    created: float = NOW,
    priority: Priority = Priority.NORMAL,
    duration: float | None = 60.0,
) -> Job:
    return Job(
        job_id=f"job-{name}",
        tenant=tenant,
        recording=RecordingInfo(
            key=f"key-{name}",
            name=f"Interview {name.upper()}.wav",
            size=1000,
            digest="00" * 32,
            media_type="audio/wav",
            codec="pcm_s16le",
            channels=2,
            duration=duration,
        ),
        options=JobOptions(config=CONFIG, channels=Channels.SEPARATE, callback=Callback(url="https://example.org/", secret="x")),  # noqa: S106
        created=created,
        trace_id="ab" * 16,
        priority=priority,
        charge=Charge(60.0 if duration is None else duration, TODAY),
        span=SpanContext(trace_id="ab" * 16, span_id="cd" * 8, state="vendor=a"),
    )


def segment(segment_id: int, channel: int = 0, text: str = "hello") -> JobSegment:
    transcript = Transcript(
        session_id="job-a",
        segment_id=segment_id,
        revision=1,
        is_final=True,
        text=text,
        stable_text=text,
        start=segment_id * 1000,
        end=segment_id * 1000 + 900,
        confidence=0.1 + 0.2,
        language="en",
        words=(Word(text, segment_id * 1000, segment_id * 1000 + 900, 0.7), Word("", 0, 0)),
    )
    return JobSegment(channel=channel, transcript=transcript)


def checkpoint(position: int, next_segment: int = 0) -> Checkpoint:
    return Checkpoint(config=CONFIG.updated(words=True), position=position, next_segment=next_segment)


async def claimed(store: JobStore, now: float = NOW, worker: str = "w") -> Claim:
    claim = await store.claim(worker, now=now, lease=LEASE)
    assert claim is not None, "expected a job to claim"
    return claim


async def status_of(store: JobStore, name: str = "a") -> JobStatus:
    found = await store.get(f"job-{name}")
    assert found is not None
    return found.status


async def order_of_claims(store: JobStore) -> list[str]:
    """The names of all that can be claimed now, in that order."""
    names = []
    while (claim := await store.claim("w", now=NOW, lease=LEASE)) is not None:
        names.append(claim.job.job_id.removeprefix("job-"))
    return names


async def names(store: JobStore, query: JobQuery) -> list[str]:
    """Of all pages."""
    found: list[str] = []
    while True:
        page = await store.history(query)
        assert len(page.jobs) <= query.limit
        found += [job.job_id.removeprefix("job-") for job in page.jobs]
        if not page.cursor:
            return found
        query = replace(query, cursor=page.cursor)


class JobStoreContract:
    def opened(self, options: StoreOptions, observe: Observer | None) -> AbstractAsyncContextManager[JobStore]:
        """A new store without jobs, closed at the end."""
        raise NotImplementedError

    def run(self, scenario: Coroutine[Any, Any, None]) -> None:
        run(scenario)

    def check(
        self,
        scenario: Callable[[JobStore], Coroutine[Any, Any, None]],
        *,
        options: StoreOptions | None = None,
        observe: Observer | None = None,
    ) -> None:
        """Run ``scenario`` on a store."""

        async def main() -> None:
            async with self.opened(options or StoreOptions(), observe) as store:
                await scenario(store)

        self.run(main())

    # --- the life of a job ---

    def test_a_job_is_submitted_claimed_worked_on_and_done(self) -> None:
        async def scenario(store: JobStore) -> None:
            assert await store.submit(job()) == job()
            assert await store.get("job-a") == job()
            claim = await claimed(store)
            assert claim.job == replace(job(), status=JobStatus.RUNNING, attempts=1, started=NOW, worker="w")
            assert (claim.worker, claim.until, claim.checkpoints) == ("w", NOW + LEASE, ())
            await store.add(claim, [segment(0), segment(1)], channel=0, checkpoint=checkpoint(2000, 2), done=12.5, now=NOW + 1)
            found = await store.get("job-a")
            assert found == replace(claim.job, done=12.5)
            assert list(await store.segments("job-a")) == [segment(0), segment(1)]
            assert list(await store.segments("job-a", after=1)) == [segment(1)]
            warned = (JobWarning(code="breaks_off", message="it breaks off at 61.3 s", at=61.25),)
            done = await store.finish(claim, now=NOW + 2, duration=61.25, warnings=warned)
            assert done.warnings == warned
            assert done == await store.get("job-a")
            assert (done.status, done.finished, done.done, done.recording.duration) == (JobStatus.DONE, NOW + 2, 61.25, 61.25)
            assert done.progress == 1.0
            assert await store.claim("w", now=NOW + 1000, lease=LEASE) is None

        self.check(scenario)

    def test_nobody_knows_a_job_that_is_none(self) -> None:
        async def scenario(store: JobStore) -> None:
            assert await store.get("job-a") is None
            assert list(await store.segments("job-a")) == []
            assert await store.cancel("job-a", now=NOW) is None
            assert await store.retry("job-a", now=NOW) is None
            assert await store.delete("job-a") is None
            assert await store.forget_audio("job-a") is None
            assert await store.position("job-a") is None
            assert await store.claim("w", now=NOW, lease=LEASE) is None

        self.check(scenario)

    def test_a_job_that_failed_for_good_stays_failed_until_it_is_retried_from_its_beginning(self) -> None:
        async def scenario(store: JobStore) -> None:
            await store.submit(job())
            claim = await claimed(store)
            await store.add(claim, [segment(0)], channel=0, checkpoint=checkpoint(1000, 1), done=5.0, now=NOW)
            failed = await store.fail(claim, ERROR, now=NOW + 1, retry_at=None)
            assert (failed.status, failed.error, failed.finished) == (JobStatus.FAILED, replace(ERROR, final=True), NOW + 1)
            assert await store.claim("w", now=NOW + 1000, lease=LEASE) is None
            assert await store.retry("job-a", now=NOW + 2) == job()
            assert list(await store.segments("job-a")) == []
            again = await claimed(store)
            assert (again.checkpoints, again.job.attempts) == ((), 1)

        self.check(scenario)

    def test_one_that_failed_for_now_waits_for_its_time(self) -> None:
        async def scenario(store: JobStore) -> None:
            await store.submit(job())
            claim = await claimed(store)
            await store.add(claim, [segment(0, 1)], channel=1, checkpoint=checkpoint(1000, 1), done=5.0, now=NOW)
            waiting = await store.fail(claim, ERROR, now=NOW, retry_at=NOW + 10)
            assert (waiting.status, waiting.not_before, waiting.error) == (JobStatus.QUEUED, NOW + 10, ERROR)
            assert await store.claim("w", now=NOW + 9.5, lease=LEASE) is None
            again = await claimed(store, NOW + 10)
            assert again.checkpoints == (None, checkpoint(1000, 1))
            assert list(await store.segments("job-a")) == [segment(0, 1)]

        self.check(scenario)

    def test_one_that_was_tried_as_often_as_allowed_has_failed_whoever_says_to_try_again(self) -> None:
        async def scenario(store: JobStore) -> None:
            await store.submit(job())
            for _ in range(2):
                await store.fail(await claimed(store), ERROR, now=NOW, retry_at=NOW)
            assert await store.get("job-a") == replace(
                job(),
                status=JobStatus.FAILED,
                attempts=2,
                started=NOW,
                finished=NOW,
                error=replace(ERROR, final=True),
                charge=Charge(0.0, TODAY),
                worker="w",
            )

        self.check(scenario, options=StoreOptions(max_attempts=2))

    def test_a_worker_that_ends_in_good_order_costs_no_attempt(self) -> None:
        async def scenario(store: JobStore) -> None:
            await store.submit(job())
            for _ in range(5):
                claim = await claimed(store)
                assert claim.job.attempts == 1
                await store.release(claim, now=NOW)
                await store.release(claim, now=NOW)  # of no effect
                assert await status_of(store) is JobStatus.QUEUED
                with pytest.raises(ClaimLost):
                    await store.finish(claim, now=NOW, duration=1.0)

        self.check(scenario)

    def test_what_is_over_is_not_cancelled_and_what_is_not_over_or_done_is_not_retried(self) -> None:
        async def scenario(store: JobStore) -> None:
            await store.submit(job())
            assert await store.retry("job-a", now=NOW) == job()
            claim = await claimed(store)
            assert await store.retry("job-a", now=NOW) == claim.job
            done = await store.finish(claim, now=NOW, duration=1.0)
            assert await store.cancel("job-a", now=NOW + 1) == done
            assert await store.retry("job-a", now=NOW + 1) == done
            assert await store.get("job-a") == done

        self.check(scenario)

    def test_a_job_is_cancelled_whether_it_waits_or_runs(self) -> None:
        async def scenario(store: JobStore) -> None:
            await store.submit(job())
            cancelled = await store.cancel("job-a", now=NOW + 1)
            assert cancelled == replace(job(), status=JobStatus.CANCELLED, finished=NOW + 1, charge=Charge(0.0, TODAY))
            assert await store.claim("w", now=NOW + 1, lease=LEASE) is None
            await store.retry("job-a", now=NOW + 2)
            claim = await claimed(store)
            await store.cancel("job-a", now=NOW + 3)
            with pytest.raises(ClaimLost):
                await store.heartbeat(claim, done=1.0, now=NOW + 4, lease=LEASE)
            assert await status_of(store) is JobStatus.CANCELLED

        self.check(scenario)

    def test_a_deleted_job_leaves_nothing_and_its_worker_hears_of_it(self) -> None:
        async def scenario(store: JobStore) -> None:
            await store.submit(job(), idempotency_key="k")
            claim = await claimed(store)
            await store.add(claim, [segment(0)], channel=0, checkpoint=checkpoint(1000, 1), done=5.0, now=NOW)
            assert await store.delete("job-a") == replace(claim.job, done=5.0)
            assert await store.get("job-a") is None
            assert list(await store.segments("job-a")) == []
            assert await names(store, JobQuery(tenant=None)) == []
            for call in (
                store.heartbeat(claim, done=1.0, now=NOW, lease=LEASE),
                store.add(claim, [segment(1)], channel=0, checkpoint=checkpoint(2000, 2), done=6.0, now=NOW),
                store.finish(claim, now=NOW, duration=1.0),
                store.fail(claim, ERROR, now=NOW, retry_at=None),
            ):
                with pytest.raises(ClaimLost, match="given to another worker"):
                    await call
            await store.submit(job(), idempotency_key="k")
            again = await claimed(store)
            assert (list(await store.segments("job-a")), again.checkpoints) == ([], ())

        self.check(scenario)

    # --- claims ---

    def test_a_claim_lasts_as_long_as_its_heartbeats_and_then_work_goes_on_elsewhere(self) -> None:
        async def scenario(store: JobStore) -> None:
            await store.submit(job())
            claim = await claimed(store)
            claim = await store.heartbeat(claim, done=3.0, now=NOW + 20, lease=LEASE)
            assert (claim.until, claim.job.done) == (NOW + 20 + LEASE, 3.0)
            assert await store.claim("other", now=NOW + LEASE + 1, lease=LEASE) is None
            await store.add(claim, [segment(0)], channel=0, checkpoint=checkpoint(1000, 1), done=5.0, now=NOW + 30)
            await store.add(claim, [segment(0, 1)], channel=1, checkpoint=checkpoint(500, 1), done=6.0, now=NOW + 31)
            taken = await claimed(store, NOW + 50, "other")
            assert (taken.job.attempts, taken.job.worker, taken.job.done) == (2, "other", 6.0)
            assert taken.checkpoints == (checkpoint(1000, 1), checkpoint(500, 1))

        self.check(scenario)

    def test_who_holds_an_old_claim_changes_nothing(self) -> None:
        async def scenario(store: JobStore) -> None:
            await store.submit(job())
            old = await claimed(store)
            new = await claimed(store, NOW + LEASE, "other")
            before = await store.get("job-a")
            for call in (
                store.heartbeat(old, done=50.0, now=NOW + 31, lease=LEASE),
                store.add(old, [segment(0)], channel=0, checkpoint=checkpoint(1000, 1), done=50.0, now=NOW + 31),
                store.finish(old, now=NOW + 31, duration=60.0),
                store.fail(old, ERROR, now=NOW + 31, retry_at=None),
            ):
                with pytest.raises(ClaimLost):
                    await call
            await store.release(old, now=NOW + 31)
            assert await store.get("job-a") == before
            assert list(await store.segments("job-a")) == []
            await store.finish(new, now=NOW + 32, duration=60.0)

        self.check(scenario)

    def test_no_later_claim_has_the_fence_of_an_earlier_one(self) -> None:
        async def scenario(store: JobStore) -> None:
            await store.submit(job())
            first = await claimed(store)
            await store.release(first, now=NOW)
            second = await claimed(store)
            await store.cancel("job-a", now=NOW)
            await store.retry("job-a", now=NOW)
            third = await claimed(store)
            assert len({first.fence, second.fence, third.fence}) == 3
            for old in (first, second):
                with pytest.raises(ClaimLost):
                    await store.finish(old, now=NOW, duration=1.0)
            await store.finish(third, now=NOW, duration=1.0)

        self.check(scenario)

    def test_a_recording_that_ends_its_workers_is_given_up(self) -> None:
        async def scenario(store: JobStore) -> None:
            await store.submit(job())
            await claimed(store, NOW)
            last = await claimed(store, NOW + 30)
            assert await store.claim("w", now=NOW + 60, lease=LEASE) is None
            dead = await store.get("job-a")
            assert dead is not None
            assert dead.error is not None
            assert (dead.status, dead.error.code, dead.error.final) == (JobStatus.FAILED, "workers_lost", True)
            with pytest.raises(ClaimLost):
                await store.heartbeat(last, done=0.0, now=NOW + 61, lease=LEASE)
            assert (await store.retry("job-a", now=NOW + 62)) == job()

        self.check(scenario, options=StoreOptions(max_attempts=2))

    def test_a_result_is_stored_once_however_often_it_was_found(self) -> None:
        async def scenario(store: JobStore) -> None:
            await store.submit(job())
            claim = await claimed(store)
            await store.add(claim, [segment(0), segment(1)], channel=0, checkpoint=checkpoint(2000, 2), done=5.0, now=NOW)
            again = [segment(1, text="other"), segment(0, 1), segment(2)]
            await store.add(claim, again, channel=0, checkpoint=checkpoint(3000, 3), done=4.0, now=NOW)
            assert list(await store.segments("job-a")) == [segment(0), segment(1), segment(0, 1), segment(2)]
            found = await store.get("job-a")
            assert found is not None
            assert found.done == 5.0

        self.check(scenario)

    # --- order ---

    def test_the_more_urgent_is_next_then_the_older(self) -> None:
        async def scenario(store: JobStore) -> None:
            await store.submit(job("low", created=NOW - 9, priority=Priority.LOW))
            await store.submit(job("young", created=NOW + 1))
            await store.submit(job("old", created=NOW - 1))
            await store.submit(job("high", created=NOW + 9, priority=Priority.HIGH))
            assert await order_of_claims(store) == ["high", "old", "young", "low"]

        self.check(scenario)

    def test_jobs_of_other_priorities_are_left_to_others(self) -> None:
        async def scenario(store: JobStore) -> None:
            await store.submit(job("normal"))
            await store.submit(job("low", priority=Priority.LOW))
            assert await store.claim("w", now=NOW, lease=LEASE, priorities=(Priority.HIGH,)) is None
            await store.submit(job("high", priority=Priority.HIGH))
            names = []
            for priorities in ((Priority.LOW,), (Priority.NORMAL, Priority.HIGH), (Priority.HIGH, Priority.NORMAL, Priority.LOW)):
                claim = await store.claim("w", now=NOW, lease=LEASE, priorities=priorities)
                assert claim is not None
                names.append(claim.job.job_id)
            assert names == ["job-low", "job-high", "job-normal"]

        self.check(scenario)

    def test_who_leaves_some_to_others_finds_what_a_dead_worker_had(self) -> None:
        async def scenario(store: JobStore) -> None:
            await store.submit(job("a"))
            await claimed(store)
            assert await store.claim("v", now=NOW + LEASE, lease=LEASE, priorities=(Priority.HIGH,)) is None
            assert await status_of(store) is JobStatus.QUEUED

        self.check(scenario)

    def test_who_has_nothing_at_work_can_be_served_alone(self) -> None:
        async def scenario(store: JobStore) -> None:
            async def left_out(by: float, *priorities: Priority, now: float = NOW) -> str | None:
                wanted = priorities or tuple(Priority)
                claim = await store.claim("w", now=now, lease=LEASE, priorities=wanted, left_out=by)
                return claim.job.job_id if claim else None

            for number in range(3):
                await store.submit(job(f"big{number}", tenant="big", created=NOW + number))
            assert (await claimed(store)).job.job_id == "job-big0"
            assert await left_out(NOW + 100) is None
            await store.submit(job("later", tenant="small", created=NOW + 7))
            await store.submit(job("small", tenant="small", created=NOW + 5))
            await store.submit(job("low", tenant="patient", created=NOW + 6, priority=Priority.LOW))
            assert await left_out(NOW + 4) is None
            assert await left_out(NOW + 100, Priority.HIGH) is None
            assert await left_out(NOW + 100, Priority.HIGH, Priority.NORMAL) == "job-small"
            assert await left_out(NOW + 100, Priority.HIGH, Priority.NORMAL) is None
            await store.submit(job("newest", tenant="newest", created=NOW + 8, priority=Priority.HIGH))
            assert await left_out(NOW + 100) == "job-low", "its turn comes before another's priority"
            assert await left_out(NOW + 100) == "job-newest"
            for _ in range(2):
                await claimed(store)
            assert await left_out(NOW + 100) is None
            after = NOW + LEASE + 1  # then nothing is at work any more
            assert await left_out(after, now=after) is not None

        self.check(scenario)

    def test_tenants_have_their_turns(self) -> None:
        async def scenario(store: JobStore) -> None:
            for number in range(5):
                await store.submit(job(f"big{number}", tenant="big", created=NOW + number))
            await store.submit(job("small0", tenant="small", created=NOW + 100))
            await store.submit(job("small1", tenant="small", created=NOW + 101))
            await store.submit(job("late", tenant="late", created=NOW + 200))
            assert await order_of_claims(store) == ["big0", "small0", "late", "big1", "small1", "big2", "big3", "big4"]
            await store.submit(job("big9", tenant="big"))
            await store.submit(job("small9", tenant="small"))
            assert await order_of_claims(store) == ["small9", "big9"]

        self.check(scenario)

    def test_a_position_is_how_many_are_claimed_before(self) -> None:
        priorities = {0: Priority.HIGH, 1: Priority.NORMAL, 2: Priority.LOW}

        async def scenario(store: JobStore) -> None:
            submitted = []
            for number in range(24):
                name, tenant = f"{number:02}", "abc"[number * number % 7 % 3]
                submitted.append(name)
                await store.submit(job(name, tenant=tenant, created=NOW - number % 5, priority=priorities[number % 4 % 3]))
            for _ in range(3):
                await claimed(store)
            positions = {name: await store.position(f"job-{name}") for name in submitted}
            order = await order_of_claims(store)
            assert positions == {name: order.index(name) if name in order else None for name in submitted}

        self.check(scenario)

    # --- submitting ---

    def test_the_same_key_gives_the_same_job(self) -> None:
        async def scenario(store: JobStore) -> None:
            await store.submit(job(), idempotency_key="k")
            claim = await claimed(store)
            twin = replace(job("b"), recording=replace(job("b").recording, name="renamed.wav"))
            assert await store.submit(twin, idempotency_key="k") == claim.job
            assert await names(store, JobQuery(tenant=None)) == ["a"]
            other = replace(job("c"), recording=replace(job("c").recording, digest="11" * 32))
            changed = replace(job("c"), options=JobOptions(config=CONFIG.updated(words=True)))
            for different in (other, changed):
                with pytest.raises(Conflict, match="idempotency"):
                    await store.submit(different, idempotency_key="k")
            await store.submit(replace(other, tenant="u"), idempotency_key="k")
            await store.submit(replace(other, job_id="job-d"), idempotency_key="")
            await store.submit(replace(other, job_id="job-e"), idempotency_key="")

        self.check(scenario)

    def test_many_at_once_are_as_one_after_another(self) -> None:
        async def scenario(store: JobStore) -> None:
            twins = await asyncio.gather(*(store.submit(job(f"{number}"), idempotency_key="k") for number in range(8)))
            assert len({each.job_id for each in twins}) == 1
            others = await asyncio.gather(*(store.submit(job(f"x{number}")) for number in range(8)), return_exceptions=True)
            assert sum(isinstance(each, QuotaExceeded) for each in others) == 4
            assert (await store.state(tenant="t", now=NOW)).queued == 5
            claims = await asyncio.gather(*(store.claim(f"w{number}", now=NOW, lease=LEASE) for number in range(8)))
            found = [claim for claim in claims if claim is not None]
            assert len({claim.job.job_id for claim in found}) == len(found) == 5
            await asyncio.gather(
                *(
                    store.add(claim, [segment(0)], channel=0, checkpoint=checkpoint(1, 1), done=1.0, now=NOW)
                    for claim in found
                    for _ in range(3)
                ),
                *(store.heartbeat(claim, done=2.0, now=NOW, lease=LEASE) for claim in found),
            )
            for claim in found:
                assert list(await store.segments(claim.job.job_id)) == [segment(0)]
            ends = [store.finish(claim, now=NOW, duration=1.0) for claim in found for _ in range(2)]
            outcomes = await asyncio.gather(*ends, return_exceptions=True)
            assert sum(isinstance(each, ClaimLost) for each in outcomes) == 5

        self.check(scenario, options=StoreOptions(max_queued=5))

    def test_an_id_is_used_once(self) -> None:
        async def scenario(store: JobStore) -> None:
            await store.submit(job())
            claim = await claimed(store)
            with pytest.raises(Conflict):
                await store.submit(job())
            assert await store.get("job-a") == claim.job

        self.check(scenario)

    def test_so_many_jobs_of_a_tenant_may_wait(self) -> None:
        async def scenario(store: JobStore) -> None:
            await store.submit(job("a"), idempotency_key="a")
            await store.submit(job("b"))
            with pytest.raises(QuotaExceeded, match="at most 2"):
                await store.submit(job("c"))
            assert (await store.submit(job("x"), idempotency_key="a")).job_id == "job-a"
            await store.submit(job("c", tenant="other"))
            failed = await store.fail(await claimed(store), ERROR, now=NOW, retry_at=None)
            await store.submit(job("d", tenant=failed.tenant))
            with pytest.raises(QuotaExceeded):
                await store.retry(failed.job_id, now=NOW)

        self.check(scenario, options=StoreOptions(max_queued=2))

    # --- looking ---

    def test_history_is_the_newest_first_and_comes_in_pages(self) -> None:
        async def scenario(store: JobStore) -> None:
            for number in range(7):
                await store.submit(job(f"{number}", tenant="ab"[number % 2], created=NOW + number // 2))
            everything = ["6", "5", "4", "3", "2", "1", "0"]
            for limit in (1, 2, 3, 7, 8):
                assert await names(store, JobQuery(tenant=None, limit=limit)) == everything
                assert await names(store, JobQuery(tenant="a", limit=limit)) == ["6", "4", "2", "0"]
            assert await names(store, JobQuery(tenant="c")) == []
            assert await names(store, JobQuery(tenant=None, since=NOW + 1, until=NOW + 3)) == ["5", "4", "3", "2"]
            assert await names(store, JobQuery(tenant=None, search="VIEW 3.w")) == ["3"]
            assert await names(store, JobQuery(tenant=None, search="%")) == []
            await store.cancel("job-5", now=NOW)
            await store.finish(await claimed(store), now=NOW, duration=1.0)
            over = (JobStatus.DONE, JobStatus.CANCELLED)
            assert await names(store, JobQuery(tenant=None, statuses=over, limit=1)) == ["5", "0"]
            assert await names(store, JobQuery(tenant="a", statuses=(JobStatus.QUEUED,))) == ["6", "4", "2"]

        self.check(scenario)

    def test_a_page_goes_on_where_the_last_one_ended_whatever_was_added_or_deleted(self) -> None:
        async def scenario(store: JobStore) -> None:
            for number in range(4):
                await store.submit(job(f"{number}", created=NOW + number))
            page = await store.history(JobQuery(tenant=None, limit=2))
            await store.delete("job-2")
            await store.submit(job("new", created=NOW + 10))
            rest = await store.history(JobQuery(tenant=None, limit=2, cursor=page.cursor))
            assert [found.job_id for found in rest.jobs] == ["job-1", "job-0"]
            assert rest.cursor == ""

        self.check(scenario)

    @pytest.mark.parametrize("cursor", ["x", "é", "MQ", "IDE", "....", "YWJj" * 1000, "MHgxcDk5OTk5OTkgYQ"])
    def test_a_cursor_that_is_none_is_refused(self, cursor: str) -> None:
        async def scenario(store: JobStore) -> None:
            with pytest.raises(InvalidOption, match="cursor"):
                await store.history(JobQuery(tenant=None, cursor=cursor))

        self.check(scenario)

    def test_the_state_counts_everything(self) -> None:
        async def scenario(store: JobStore) -> None:
            empty = await store.state(tenant=None, now=NOW)
            assert (empty.queued, empty.oldest, empty.waiting_audio, empty.workers) == (0, None, 0.0, ())
            for number in range(6):
                await store.submit(job(f"{number}", created=NOW + number, duration=None if number == 5 else 10.0))
            await store.submit(job("other", tenant="u", priority=Priority.LOW))
            await store.finish(await claimed(store), now=NOW, duration=1.0)
            await store.fail(await claimed(store), ERROR, now=NOW, retry_at=None)
            await claimed(store, worker="z")
            await claimed(store, NOW - 15, worker="y")
            await store.cancel("job-4", now=NOW)
            state = await store.state(tenant=None, now=NOW)
            assert (state.queued, state.running, state.done, state.failed, state.cancelled) == (2, 2, 1, 1, 1)
            assert (state.oldest, state.waiting_audio, state.workers) == (NOW, 60.0, ("y", "z"))
            assert (await store.state(tenant=None, now=NOW + 15)).workers == ("z",)
            ours = await store.state(tenant="t", now=NOW)
            assert (ours.queued, ours.oldest, ours.waiting_audio) == (1, NOW + 5, 0.0)
            theirs = await store.state(tenant="u", now=NOW)
            assert (theirs.queued, theirs.running, theirs.workers) == (1, 0, ())

        self.check(scenario)

    def test_a_job_is_charged_what_is_expected_of_it_and_once_it_is_over_what_it_was(self) -> None:
        async def scenario(store: JobStore) -> None:
            async def spent() -> float:
                return await store.spent("t", day=TODAY)

            assert await spent() == 0.0
            await store.submit(job("a"), idempotency_key="k")
            await store.submit(replace(job("a"), job_id="job-again"), idempotency_key="k")
            assert await spent() == 60.0
            old = await claimed(store)
            claim = await claimed(store, now=NOW + LEASE)
            await store.submit(job("other", tenant="u"))
            await store.heartbeat(claim, done=12.5, now=NOW + LEASE, lease=LEASE)
            with pytest.raises(ClaimLost):
                await store.finish(old, now=NOW + LEASE, duration=99.0)
            assert await spent() == 60.0
            await store.fail(claim, ERROR, now=NOW + LEASE, retry_at=None)
            assert await spent() == 12.5
            await claimed(store, now=NOW + 40)  # the other one
            await store.retry("job-a", now=NOW + 40)
            assert await spent() == 72.5
            await store.finish(await claimed(store, now=NOW + 40), now=NOW + 50, duration=61.25)
            assert await spent() == 73.75
            await store.cancel("job-a", now=NOW + 51)
            await store.delete("job-a")
            assert await spent() == 73.75
            assert await store.spent("u", day=TODAY) == 60.0
            assert await store.spent("t", day=TODAY + 1) == 0.0

        self.check(scenario)

    def test_a_job_that_is_cancelled_or_deleted_is_charged_what_was_done(self) -> None:
        async def scenario(store: JobStore) -> None:
            for name in "abc":
                await store.submit(job(name, duration=3600.0))
            claim = await claimed(store)
            await store.heartbeat(claim, done=7.0, now=NOW, lease=LEASE)
            await store.cancel("job-a", now=NOW)
            await store.cancel("job-b", now=NOW)
            assert await store.spent("t", day=TODAY) == 3607.0
            await store.delete("job-c")
            await store.delete("job-a")
            assert await store.spent("t", day=TODAY) == 7.0

        self.check(scenario)

    def test_what_is_done_beyond_what_was_expected_is_charged_at_once(self) -> None:
        async def scenario(store: JobStore) -> None:
            charge = Charge(60.0, TODAY, limit=100.0)
            await store.submit(replace(job("a"), charge=charge))
            claim = await claimed(store)
            claim = await store.heartbeat(claim, done=60.0, now=NOW, lease=LEASE)
            assert await store.spent("t", day=TODAY) == 60.0
            await store.add(claim, [segment(0)], channel=0, checkpoint=checkpoint(1000, 1), done=80.5, now=NOW)
            assert await store.spent("t", day=TODAY) == 80.5
            claim = await store.heartbeat(claim, done=75.0, now=NOW, lease=LEASE)
            assert claim.job.charge == replace(charge, audio=80.5)
            await store.finish(claim, now=NOW, duration=99.0)
            assert await store.spent("t", day=TODAY) == 99.0

        self.check(scenario)

    def test_a_retry_counts_on_its_own_day(self) -> None:
        async def scenario(store: JobStore) -> None:
            await store.submit(job("a"))
            await store.fail(await claimed(store), ERROR, now=NOW, retry_at=None)
            await store.retry("job-a", now=NOW + DAY)
            assert await store.spent("t", day=TODAY) == 0.0
            assert await store.spent("t", day=TODAY + 1) == 60.0

        self.check(scenario)

    def test_who_watches_a_job_hears_of_every_change(self) -> None:
        async def scenario(store: JobStore) -> None:
            await store.submit(job())
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(_patience())
                changes = await stack.enter_async_context(store.changes("job-a"))
                await anext(changes)
                claim = await claimed(store)
                await _until(changes, store, lambda found: found.status is JobStatus.RUNNING)
                await store.heartbeat(claim, done=4.0, now=NOW, lease=LEASE)
                await _until(changes, store, lambda found: found.done == 4.0)
                await store.add(claim, [segment(0)], channel=0, checkpoint=checkpoint(1000, 1), done=5.0, now=NOW)
                await _until(changes, store, lambda found: found.done == 5.0)
                await store.finish(claim, now=NOW, duration=1.0)
                await _until(changes, store, lambda found: found.status is JobStatus.DONE)
                await store.delete("job-a")
                while await store.get("job-a") is not None:
                    await anext(changes)

        self.check(scenario)

    def test_who_watches_is_not_kept_by_a_store_that_closes(self) -> None:
        async def scenario(store: JobStore) -> None:
            async with store.changes("job-a") as changes:
                await anext(changes)
                closing = asyncio.create_task(store.close())
                async with _patience():
                    async for _ in changes:
                        pass
                await closing
            await store.close()

        self.check(scenario)

    # --- retention ---

    def test_audio_can_be_forgotten_once_a_job_is_over_and_then_it_is_not_retried(self) -> None:
        async def scenario(store: JobStore) -> None:
            await store.submit(job())
            assert await store.forget_audio("job-a") is None
            failed = await store.fail(await claimed(store), ERROR, now=NOW, retry_at=None)
            assert await store.forget_audio("job-a") == failed
            found = await store.get("job-a")
            assert found == replace(failed, recording=replace(failed.recording, key=""))
            assert await store.forget_audio("job-a") is None
            with pytest.raises(RecordingGone, match="again"):
                await store.retry("job-a", now=NOW)
            assert await status_of(store) is JobStatus.FAILED

        self.check(scenario)

    def test_what_is_not_over_may_be_spared(self) -> None:
        async def scenario(store: JobStore) -> None:
            await store.submit(job())
            assert await store.delete("job-a", only_over=True) is None
            claim = await claimed(store)
            assert await store.delete("job-a", only_over=True) is None
            done = await store.finish(claim, now=NOW, duration=1.0)
            assert await store.delete("job-a", only_over=True) == done
            await store.purge()
            assert await store.get("job-a") is None

        self.check(scenario)

    def test_recordings_without_a_job_are_found(self) -> None:
        async def scenario(store: JobStore) -> None:
            await store.submit(job("a"))
            await store.submit(job("b"))
            await store.submit(job("c"))
            await store.delete("job-b")
            await store.finish(await claimed(store), now=NOW, duration=1.0)
            await store.forget_audio("job-a")
            keys = ["key-c", "key-b", "key-x", "key-a"]
            assert list(await store.unnamed(keys)) == ["key-b", "key-x", "key-a"]
            assert list(await store.unnamed([])) == []
            assert len(await store.unnamed([f"many-{number}" for number in range(2500)])) == 2500

        self.check(scenario)

    def test_one_at_a_time_does_a_chore(self) -> None:
        async def scenario(store: JobStore) -> None:
            assert await store.take_turn("prune", "a", now=NOW, lease=60.0)
            assert await store.take_turn("prune", "a", now=NOW + 1, lease=60.0)
            assert not await store.take_turn("prune", "b", now=NOW + 60, lease=60.0)
            assert await store.take_turn("sweep", "b", now=NOW, lease=60.0)
            assert await store.take_turn("prune", "b", now=NOW + 61, lease=60.0)
            assert not await store.take_turn("prune", "a", now=NOW + 62, lease=60.0)

        self.check(scenario)

    # --- callbacks ---

    def test_a_callback_is_due_when_its_job_is_over_until_it_was_told(self) -> None:
        async def scenario(store: JobStore) -> None:
            for name in "abc":
                await store.submit(job(name))
            await store.submit(replace(job("quiet"), options=JobOptions(config=CONFIG)))
            assert await store.claim_delivery(now=NOW + 1000, lease=10.0) is None
            await store.cancel("job-quiet", now=NOW)
            await store.cancel("job-b", now=NOW + 5)
            await store.fail(await claimed(store), ERROR, now=NOW + 1, retry_at=None)
            await store.finish(await claimed(store), now=NOW + 3, duration=1.0)
            assert await store.claim_delivery(now=NOW + 0.5, lease=10.0) is None
            told = []
            while (delivery := await store.claim_delivery(now=NOW + 5, lease=10.0)) is not None:
                told.append((delivery.job.job_id, delivery.job.status, delivery.attempt))
                await store.settle_delivery(delivery, told=len(told) == 3, now=NOW, retry_at=NOW + 30 if len(told) == 1 else None)
            assert told == [("job-a", JobStatus.FAILED, 1), ("job-c", JobStatus.DONE, 1), ("job-b", JobStatus.CANCELLED, 1)]
            assert await store.claim_delivery(now=NOW + 29, lease=10.0) is None
            unsettled = await store.claim_delivery(now=NOW + 30, lease=10.0)
            assert unsettled is not None
            assert (unsettled.job.job_id, unsettled.attempt) == ("job-a", 2)
            assert await store.claim_delivery(now=NOW + 39, lease=10.0) is None
            again = await store.claim_delivery(now=NOW + 40, lease=10.0)
            assert again is not None
            await store.settle_delivery(unsettled, told=True, now=NOW)  # too late
            await store.settle_delivery(again, told=False, now=NOW, retry_at=NOW + 60)
            last = await store.claim_delivery(now=NOW + 60, lease=10.0)
            assert last is not None
            assert last.attempt == 4
            await store.delete("job-a")
            await store.settle_delivery(last, told=False, now=NOW, retry_at=NOW)
            assert await store.claim_delivery(now=NOW + 1000, lease=10.0) is None

        self.check(scenario)

    def test_a_job_that_is_retried_has_a_new_end_to_tell_of(self) -> None:
        async def scenario(store: JobStore) -> None:
            await store.submit(job())
            await store.cancel("job-a", now=NOW)
            old = await store.claim_delivery(now=NOW, lease=10.0)
            assert old is not None
            await store.retry("job-a", now=NOW)
            await store.settle_delivery(old, told=False, now=NOW, retry_at=NOW)
            assert await store.claim_delivery(now=NOW + 1000, lease=10.0) is None
            await store.finish(await claimed(store), now=NOW + 1, duration=1.0)
            new = await store.claim_delivery(now=NOW + 1, lease=10.0)
            assert new is not None
            assert (new.job.status, new.attempt) == (JobStatus.DONE, 1)
            await store.settle_delivery(old, told=True, now=NOW)
            assert await store.claim_delivery(now=NOW + 11, lease=10.0) is not None

        self.check(scenario)

    # --- the log of what happened ---

    def test_everything_that_happens_to_a_job_is_told_once(self) -> None:
        steps: list[Step] = []

        async def scenario(store: JobStore) -> None:
            await store.submit(job(), idempotency_key="k")
            await store.submit(job("b"), idempotency_key="k")
            claim = await claimed(store)
            await store.heartbeat(claim, done=1.0, now=NOW, lease=LEASE)
            await store.release(claim, now=NOW + 1)
            await store.fail(await claimed(store, NOW + 2), ERROR, now=NOW + 3, retry_at=NOW + 3)
            await claimed(store, NOW + 4)
            await store.claim("w", now=NOW + 40, lease=LEASE)
            await store.claim("w", now=NOW + 80, lease=LEASE)
            await store.retry("job-a", now=NOW + 81)
            await store.cancel("job-a", now=NOW + 82)
            await store.cancel("job-a", now=NOW + 83)
            await store.retry("job-a", now=NOW + 84)
            claim = await claimed(store, NOW + 85)
            await store.finish(claim, now=NOW + 86, duration=1.0)
            with pytest.raises(ClaimLost):
                await store.finish(claim, now=NOW + 87, duration=1.0)
            for told in (False, True):
                delivery = await store.claim_delivery(now=NOW + 88, lease=LEASE)
                assert delivery is not None
                await store.settle_delivery(delivery, told=told, now=NOW + 89, retry_at=NOW + 88)
            await store.forget_audio("job-a")
            await store.delete("job-a")
            await asyncio.sleep(0)
            await asyncio.sleep(0)

        self.check(scenario, observe=steps.append)
        assert [step.verb for step in steps] == [
            Verb.SUBMIT,
            Verb.CLAIM,
            Verb.RELEASE,
            Verb.CLAIM,
            Verb.POSTPONE,
            Verb.CLAIM,
            Verb.EXPIRE,
            Verb.CLAIM,
            Verb.GIVE_UP,
            Verb.RETRY,
            Verb.CANCEL,
            Verb.RETRY,
            Verb.CLAIM,
            Verb.FINISH,
            Verb.TELL,
            Verb.FORGET_AUDIO,
            Verb.DELETE,
        ]
        assert [step.at - NOW for step in steps[:-2]] == [0, 0, 1, 2, 3, 4, 40, 40, 80, 81, 82, 84, 85, 86, 89]


def _patience() -> AbstractAsyncContextManager[object]:
    return asyncio.timeout(PATIENCE)


async def _until(changes: AsyncIterator[None], store: JobStore, holds: Callable[[Job], bool]) -> None:
    while True:
        await anext(changes)
        found = await store.get("job-a")
        assert found is not None
        if holds(found):
            return
