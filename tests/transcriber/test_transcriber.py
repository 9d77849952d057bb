from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

import pytest

from starling.core.errors import ServerError
from starling.core.jobs import Claim, JobStatus
from starling.core.load import Priority
from starling.jobs.memory import MemoryJobStore
from starling.transcriber.messages import Order, Over, Told
from starling.transcriber.options import TranscriberOptions
from starling.transcriber.ports import NoScribe
from starling.transcriber.transcriber import Transcriber
from transcriber.stand import Stand, does, job
from virtual_time import run


async def until_over(stand: Stand, *names: str) -> None:
    for name in names:
        async with stand.store.changes(name) as changes:
            async for _ in changes:
                found = await stand.store.get(name)
                if found and found.status.over:
                    break


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("slots", [1, 3])
def test_jobs_are_done_as_many_at_once_as_there_are_slots(slots: int) -> None:
    async def scenario() -> None:
        stand = Stand(does, options=TranscriberOptions(slots=slots))
        names = [f"job {number}" for number in range(7)]
        for name in names:
            await stand.store.submit(job(name))
        running = asyncio.create_task(Transcriber("host-1", stand.options, stand.ports).run())
        await until_over(stand, *names)
        await ended(running)
        assert stand.scribes.most == slots
        assert stand.outcomes() == {"done": 7}
        assert {found.worker for name in names if (found := await stand.store.get(name))} == {
            f"host-1/{number}" for number in range(slots)
        }

    run(scenario())


def test_a_job_that_comes_later_is_found() -> None:
    async def scenario() -> None:
        stand = Stand(does)
        running = asyncio.create_task(Transcriber("host-1", stand.options, stand.ports).run())
        await asyncio.sleep(1000)
        await stand.store.submit(job())
        await asyncio.sleep(12)
        found = await stand.store.get("a")
        assert found is not None
        assert found.status is JobStatus.DONE
        await ended(running)

    run(scenario())


def test_who_ends_gives_back_what_is_at_work() -> None:
    async def scenario() -> None:
        stand = Stand(does, options=TranscriberOptions(slots=2))
        for name in "abc":
            await stand.store.submit(job(name))
        running = asyncio.create_task(Transcriber("host-1", stand.options, stand.ports).run())
        await asyncio.sleep(5)
        await ended(running)
        jobs = [found for name in "abc" if (found := await stand.store.get(name))]
        assert [(one.status, one.attempts) for one in jobs] == [(JobStatus.QUEUED, 0)] * 3
        assert stand.scribes.at_work == 0

    run(scenario())


async def takes_hours(order: Order, tell: Callable[[Told], Awaitable[None]]) -> Over:
    await asyncio.sleep(4 * 3600 if not order.urgent else 30)
    return Over(10.0, 0.1)


def test_who_is_waited_for_does_not_stand_behind_a_recording_of_hours() -> None:
    async def scenario() -> None:
        stand = Stand(takes_hours)
        running = asyncio.create_task(Transcriber("host-1", stand.options, stand.ports).run())
        await stand.store.submit(job("hours"))
        await asyncio.sleep(60)
        await stand.store.submit(job("short", priority=Priority.HIGH, created=stand.time()))
        await stand.store.submit(job("patient", created=stand.time()))
        await asyncio.sleep(5)
        short, patient = await stand.store.get("short"), await stand.store.get("patient")
        assert short is not None
        assert patient is not None
        assert (short.status, patient.status) == (JobStatus.RUNNING, JobStatus.QUEUED)
        await until_over(stand, "hours", "short", "patient")
        assert stand.scribes.most == 2
        await ended(running)

    run(scenario())


@pytest.mark.parametrize("express", [0, 2])
def test_recordings_are_begun_however_many_come_that_somebody_waits_for(express: int) -> None:
    async def scenario() -> None:
        stand = Stand(takes_hours, options=TranscriberOptions(express=express))
        for number in range(40):
            await stand.store.submit(job(f"waited for {number}", priority=Priority.HIGH))
        await stand.store.submit(job("patient"))
        running = asyncio.create_task(Transcriber("host-1", stand.options, stand.ports).run())
        await asyncio.sleep(45)
        patient = await stand.store.get("patient")
        assert patient is not None
        assert patient.status is JobStatus.RUNNING
        await ended(running)

    run(scenario())


class Away(MemoryJobStore):
    async def claim(
        self,
        worker: str,
        *,
        now: float,
        lease: float,
        priorities: Collection[Priority] = tuple(Priority),
        left_out: float | None = None,
    ) -> Claim | None:
        if asyncio.get_running_loop().time() < 100:
            raise ServerError("the store does not answer")
        return await super().claim(worker, now=now, lease=lease, priorities=priorities, left_out=left_out)


def test_a_store_that_comes_back_is_used_again() -> None:
    async def scenario() -> None:
        stand = Stand(does, store=Away())
        await stand.store.submit(job())
        running = asyncio.create_task(Transcriber("host-1", stand.options, stand.ports).run())
        await until_over(stand, "a")
        await ended(running)
        assert stand.outcomes() == {"done": 1}

    run(scenario())


def test_a_bug_in_one_attempt_is_survived() -> None:
    async def breaks(order: Order, tell: Callable[[Told], Awaitable[None]]) -> Over:
        raise RuntimeError("a bug")

    async def scenario() -> None:
        stand = Stand(breaks, does)
        await stand.store.submit(job())
        running = asyncio.create_task(Transcriber("host-1", stand.options, stand.ports).run())
        await until_over(stand, "a")
        await ended(running)
        found = await stand.store.get("a")
        assert found is not None
        assert (found.status, found.attempts) == (JobStatus.DONE, 2)

    run(scenario())


def test_where_no_scribe_is_to_be_had_no_attempt_is_used_up() -> None:
    async def nobody(order: Order, tell: Callable[[Told], Awaitable[None]]) -> Over:
        raise NoScribe("no memory")

    async def scenario() -> None:
        stand = Stand(nobody, nobody, nobody, nobody, nobody, does)
        await stand.store.submit(job())
        running = asyncio.create_task(Transcriber("host-1", stand.options, stand.ports).run())
        await until_over(stand, "a")
        await asyncio.sleep(0)
        await ended(running)
        found = await stand.store.get("a")
        assert found is not None
        assert (found.status, found.attempts) == (JobStatus.DONE, 1)
        assert asyncio.get_running_loop().time() < 120

    run(scenario())
