from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest

from starling.core.errors import ServerError
from starling.core.jobs import DAY, Charge, Claim, Job, JobError, JobSegment, JobStatus, JobWarning
from starling.core.records import Checkpoint
from starling.jobs.memory import MemoryJobStore
from starling.transcriber.attempt import Attempt, Outcome
from starling.transcriber.messages import Order, Over, Told
from starling.transcriber.ports import Undone
from transcriber.stand import CONFIG, EPOCH, Stand, does, job, told
from virtual_time import run

Tell = Callable[[Told], Awaitable[None]]


async def attempt(stand: Stand) -> Outcome:
    claim = await stand.store.claim("w", now=stand.time(), lease=stand.options.lease)
    assert claim is not None
    return await Attempt(claim, stand.options, stand.ports).run()


async def kept(stand: Stand) -> Job:
    found = await stand.store.get("a")
    assert found is not None
    return found


async def texts(stand: Stand) -> list[str]:
    return [one.transcript.text for one in await stand.store.segments("a")]


ALL = [f"text {number}" for number in range(10)]


def test_a_job_is_done() -> None:
    async def scenario() -> None:
        stand = Stand(does)
        await stand.store.submit(job())
        assert await attempt(stand) is Outcome.DONE
        assert (await kept(stand)).status is JobStatus.DONE
        assert (await kept(stand)).recording.duration == 10.0
        assert await texts(stand) == ALL
        assert stand.recordings.open_files[0].closed
        assert stand.outcomes() == {"done": 1}

    run(scenario())


def test_what_is_wrong_with_a_recording_stays_with_its_job() -> None:
    warned = JobWarning(code="breaks_off", message="it breaks off", at=10.0)

    async def half(order: Order, tell: Tell) -> Over:
        return Over(10.0, 0.1, (warned,))

    async def scenario() -> None:
        stand = Stand(half)
        await stand.store.submit(job())
        assert await attempt(stand) is Outcome.DONE
        assert (await kept(stand)).warnings == (warned,)

    run(scenario())


def test_an_order_says_all_that_matters() -> None:
    async def scenario() -> None:
        stand = Stand(does)
        await stand.store.submit(job())
        await attempt(stand)
        [order] = stand.scribes.orders
        assert (order.job_id, order.config, order.size, order.checkpoints) == ("a", CONFIG, 1000, ())
        assert order.max_duration == stand.options.max_duration

    run(scenario())


def test_progress_is_told_while_nothing_is_found() -> None:
    async def slow(order: Order, tell: Tell) -> Over:
        await tell(Told(30.0, ()))
        await asyncio.sleep(200)
        return Over(60.0, 1.0)

    async def scenario() -> None:
        stand = Stand(slow)
        await stand.store.submit(job())
        working = asyncio.create_task(attempt(stand))
        await asyncio.sleep(100)
        assert (await kept(stand)).progress == 0.5
        assert await stand.store.claim("other", now=stand.time(), lease=30) is None  # the lease is renewed
        assert await working is Outcome.DONE

    run(scenario())


@pytest.mark.parametrize("final", [True, False])
def test_a_recording_that_cannot_be_done(*, final: bool) -> None:
    error = JobError(code="corrupt_audio", message="expected audio", final=final)

    async def fails(order: Order, tell: Tell) -> Over:
        await tell(told(0, 2, done=2.0))
        raise Undone(error)

    async def scenario() -> None:
        stand = Stand(fails)
        await stand.store.submit(job())
        assert await attempt(stand) is (Outcome.FAILED if final else Outcome.POSTPONED)
        after = await kept(stand)
        assert after.error == error
        assert after.status is (JobStatus.FAILED if final else JobStatus.QUEUED)
        assert await texts(stand) == ["text 0", "text 1"]
        if not final:
            assert after.not_before == stand.time() + 7.5

    run(scenario())


def test_a_recording_that_ends_its_scribe_again_and_again_is_given_up() -> None:
    async def crashes(order: Order, tell: Tell) -> Over:
        raise Undone(JobError(code="scribe_ended", message="ended by SIGSEGV", final=False))

    async def scenario() -> None:
        stand = Stand(crashes)
        await stand.store.submit(job())
        outcomes = []
        for _ in range(3):
            outcomes.append(await attempt(stand))
            await asyncio.sleep(60)
        assert outcomes == [Outcome.POSTPONED, Outcome.POSTPONED, Outcome.FAILED]
        after = await kept(stand)
        assert (after.status, after.error) == (
            JobStatus.FAILED, JobError(code="scribe_ended", message="ended by SIGSEGV", final=True)
        )  # fmt: skip

    run(scenario())


def test_a_recording_that_is_gone_fails_for_good() -> None:
    async def scenario() -> None:
        stand = Stand(does, gone=["key-a"])
        await stand.store.submit(job())
        assert await attempt(stand) is Outcome.FAILED
        error = (await kept(stand)).error
        assert error is not None
        assert (error.code, error.final) == ("recording_gone", True)

    run(scenario())


def test_another_attempt_goes_on_where_the_one_before_it_stopped() -> None:
    async def crashes(order: Order, tell: Tell) -> Over:
        await tell(told(0, 3, done=3.0))
        raise Undone(JobError(code="scribe_ended", message="ended by SIGSEGV", final=False))

    async def scenario() -> None:
        stand = Stand(crashes, does)
        await stand.store.submit(job())
        await attempt(stand)
        await asyncio.sleep(60)
        assert await attempt(stand) is Outcome.DONE
        assert [one.checkpoints for one in stand.scribes.orders] == [
            (), (Checkpoint(config=CONFIG, position=48_000, next_segment=3),)
        ]  # fmt: skip
        assert await texts(stand) == ALL

    run(scenario())


def test_a_cancelled_job_is_left_at_once() -> None:
    async def scenario() -> None:
        stand = Stand(does)
        await stand.store.submit(job())
        working = asyncio.create_task(attempt(stand))
        await asyncio.sleep(3.5)
        await stand.store.cancel("a", now=stand.time())
        assert await working is Outcome.LOST
        assert stand.time() <= 1_700_000_000 + 3.5 + stand.options.beat
        assert stand.scribes.at_work == 0
        assert (await kept(stand)).status is JobStatus.CANCELLED

    run(scenario())


def test_who_has_to_leave_gives_the_job_back_untouched() -> None:
    async def scenario() -> None:
        stand = Stand(does)
        await stand.store.submit(job())
        working = asyncio.create_task(attempt(stand))
        await asyncio.sleep(4.5)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        after = await kept(stand)
        assert (after.status, after.attempts) == (JobStatus.QUEUED, 0)
        assert stand.scribes.at_work == 0
        assert stand.outcomes() == {"released": 1}
        assert await attempt(stand) is Outcome.DONE
        assert await texts(stand) == ALL

    run(scenario())


class Unsteady(MemoryJobStore):
    """A store that does not answer for some of the time."""

    def __init__(self, up: Callable[[], bool]) -> None:
        super().__init__()
        self._up = up

    def _check(self) -> None:
        if not self._up():
            raise ServerError("the store does not answer")

    async def heartbeat(self, claim: Claim, *, done: float, now: float, lease: float) -> Claim:
        self._check()
        return await super().heartbeat(claim, done=done, now=now, lease=lease)

    async def add(
        self, claim: Claim, segments: Sequence[JobSegment], *, channel: int, checkpoint: Checkpoint, done: float, now: float
    ) -> None:
        self._check()
        await super().add(claim, segments, channel=channel, checkpoint=checkpoint, done=done, now=now)
        self._check()  # it is stored, but the answer is lost

    async def finish(self, claim: Claim, *, now: float, duration: float, warnings: Sequence[JobWarning] = ()) -> Job:
        self._check()
        return await super().finish(claim, now=now, duration=duration, warnings=warnings)


@pytest.mark.parametrize(("since", "until"), [(2.5, 20.0), (9.5, 25.0), (9.999, 10.2)])
def test_a_store_that_is_away_for_less_than_the_lease_costs_nothing(since: float, until: float) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        stand = Stand(does, store=Unsteady(lambda: not since <= loop.time() < until))
        await stand.store.submit(job())
        assert await attempt(stand) is Outcome.DONE
        assert await texts(stand) == ALL

    run(scenario())


def test_who_cannot_renew_the_lease_stops() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        stand = Stand(does, store=Unsteady(lambda: loop.time() < 5))
        await stand.store.submit(job())
        assert await attempt(stand) is Outcome.LOST
        assert loop.time() <= 4 + stand.options.lease + 2 * stand.options.beat
        assert stand.scribes.at_work == 0

    run(scenario())


def test_both_channels_are_stored_with_their_own_checkpoints() -> None:
    async def two(order: Order, tell: Tell) -> Over:
        left, right = told(0, 2, done=2.0), told(0, 1, done=2.0, channel=1)
        await tell(Told(2.0, (*left.found, *right.found, *told(2, 1, done=3.0).found)))
        raise Undone(JobError(code="x", message="x", final=False))

    async def scenario() -> None:
        stand = Stand(two)
        await stand.store.submit(replace(job()))
        await attempt(stand)
        await asyncio.sleep(60)
        await attempt(stand)
        left, right = stand.scribes.orders[1].checkpoints
        assert left is not None
        assert right is not None
        assert (left.next_segment, right.next_segment) == (3, 1)

    run(scenario())


@pytest.mark.parametrize(("limit", "others"), [(61.0, 0.0), (200.0, 150.0)])
def test_a_header_that_promises_too_little_gets_nobody_past_its_quota(limit: float, others: float) -> None:
    async def without_end(order: Order, tell: Tell) -> Over:
        for number in range(1000):
            await asyncio.sleep(1)
            await tell(told(number, 1, done=number + 1.0))
        return Over(1000.0, 0.1)

    async def scenario() -> None:
        stand = Stand(without_end)
        day = int(EPOCH) // DAY
        await stand.store.submit(job(charge=Charge(60.0, day, limit)))
        if others:
            await stand.store.submit(job("b", charge=Charge(others, day, limit), not_before=EPOCH + 1e6))
        assert await attempt(stand) is Outcome.FAILED
        ended = await kept(stand)
        assert ended.error is not None
        assert (ended.error.code, ended.error.final) == ("quota_exceeded", True)
        assert "its header says 60.0 s" in ended.error.message
        assert ended.done == max(60.0, limit - others)
        assert await stand.store.spent("t", day=day) == ended.done + others
        assert stand.scribes.at_work == 0

    run(scenario())


def test_who_has_audio_left_may_hand_in_what_is_longer_than_its_header_says() -> None:
    async def scenario() -> None:
        stand = Stand(does)
        recording = replace(job().recording, duration=1.0)
        await stand.store.submit(job(recording=recording, charge=Charge(1.0, int(EPOCH) // DAY, 10.0)))
        assert await attempt(stand) is Outcome.DONE

    run(scenario())


@pytest.mark.parametrize(
    ("limit", "others", "outcome"), [(5.0, 0.0, Outcome.FAILED), (25.0, 20.0, Outcome.FAILED), (25.0, 0.0, Outcome.DONE)]
)
def test_a_recording_of_which_nobody_knows_how_long_it_is_ends_with_its_quota(
    limit: float, others: float, outcome: Outcome
) -> None:
    """Whatever its size let expect, which is charged and is a guess."""

    async def for_some_seconds(order: Order, tell: Tell) -> Over:
        for number in range(20):
            await asyncio.sleep(1)
            await tell(told(number, 1, done=number + 1.0))
        return Over(20.0, 0.1)

    async def scenario() -> None:
        stand = Stand(for_some_seconds)
        day = int(EPOCH) // DAY
        recording = replace(job().recording, duration=None, size=400_000)
        await stand.store.submit(job(recording=recording, charge=Charge(recording.expected, day, limit)))
        if others:
            await stand.store.submit(job("b", charge=Charge(others, day, limit), not_before=EPOCH + 1e6))
        assert await attempt(stand) is outcome
        ended = await kept(stand)
        assert (ended.error.code if ended.error else "") == ("quota_exceeded" if outcome is Outcome.FAILED else "")
        assert await stand.store.spent("t", day=day) == (ended.done if ended.error else 20.0) + others

    run(scenario())


def test_what_is_heard_before_anybody_looks_is_nobodys_when_its_quota_is_used_up() -> None:
    """A queue of recordings that last a while, are done in no time, and say that they last no time."""

    async def at_once(order: Order, tell: Tell) -> Over:
        await tell(told(0, 20, done=20.0, job_id=order.job_id))
        return Over(20.0, 0.1)

    async def scenario() -> None:
        stand = Stand(at_once)
        day = int(EPOCH) // DAY
        for name in "abc":
            recording = replace(job(name).recording, duration=0.5)
            await stand.store.submit(job(name, recording=recording, charge=Charge(0.5, day, 30.0)))
        assert [await attempt(stand) for _ in "abc"] == [Outcome.DONE, Outcome.FAILED, Outcome.FAILED]
        assert len(await texts(stand)) == 20
        assert not await stand.store.segments("b")
        assert await stand.store.spent("t", day=day) <= 30.0

    run(scenario())
