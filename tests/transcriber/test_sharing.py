"""Slots are shared between tenants, whoever came first with however much."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starling.core.jobs import Claim, Job, JobStatus
from starling.core.load import Priority
from starling.jobs.memory import MemoryJobStore
from starling.transcriber.messages import Order, Over, Told
from starling.transcriber.options import TranscriberOptions
from starling.transcriber.sharing import TURN, WAITED, gives_way_to
from starling.transcriber.transcriber import Transcriber
from transcriber.stand import Stand, job, told
from virtual_time import run, stopped

PIECE = 20
"""Seconds between two findings of a long recording."""


def lasting(pieces: int) -> Callable[[Order, Callable[[Told], Awaitable[None]]], Awaitable[Over]]:
    """A scribe that takes so many pieces of time for each recording."""

    async def works(order: Order, tell: Callable[[Told], Awaitable[None]]) -> Over:
        first = order.checkpoints[0].next_segment if order.checkpoints and order.checkpoints[0] else 0
        for number in range(first, pieces):
            await asyncio.sleep(PIECE)
            await tell(told(number, 1, done=number + 1.0, job_id=order.job_id))
        return Over(float(pieces), 0.1)

    return works


@asynccontextmanager
async def transcribing(stand: Stand, hosts: int = 1) -> AsyncIterator[None]:
    running = [asyncio.create_task(Transcriber(f"host-{number}", stand.options, stand.ports).run()) for number in range(hosts)]
    try:
        yield
    finally:
        for task in running:
            await stopped(task)


async def found(stand: Stand, name: str) -> Job:
    there = await stand.store.get(name)
    assert there is not None
    return there


@pytest.mark.parametrize("theirs", [Priority.HIGH, Priority.NORMAL])
def test_who_holds_every_slot_with_long_urgent_recordings_makes_room(theirs: Priority) -> None:
    async def scenario() -> None:
        stand = Stand(lasting(1000), options=TranscriberOptions(slots=2, express=2))
        for number in range(8):
            await stand.store.submit(job(f"{number}", tenant="crowd", priority=Priority.HIGH))
        async with transcribing(stand):
            await asyncio.sleep(600)
            await stand.store.submit(job("other", tenant="other", priority=theirs, created=stand.time()))
            await asyncio.sleep(WAITED + 2 * stand.options.beat)
            assert (await found(stand, "other")).status is JobStatus.RUNNING
            jobs = [await found(stand, f"{number}") for number in range(8)]
            assert sum(one.status is JobStatus.RUNNING for one in jobs) == 3
            assert all(one.attempts <= 1 for one in jobs)
            [back] = [one for one in jobs if one.status is JobStatus.QUEUED and one.done]
            assert back.done >= 29.0, "what was found of it is kept"

    run(scenario())


def test_a_job_that_gave_way_is_done_to_its_end_and_nothing_is_found_twice() -> None:
    async def scenario() -> None:
        stand = Stand(lasting(30), options=TranscriberOptions(express=0))
        await stand.store.submit(job("a"))
        async with transcribing(stand):
            await asyncio.sleep(200)
            await stand.store.submit(job("b", tenant="other", created=stand.time()))
            await asyncio.sleep(2000)
        for name in "ab":
            assert (await found(stand, name)).status is JobStatus.DONE
            assert [one.transcript.segment_id for one in await stand.store.segments(name)] == list(range(30))
        assert stand.outcomes()["released"] > 1, "they had their turns"

    run(scenario())


class Slow(MemoryJobStore):
    """Jobs are given back when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.let = asyncio.Event()

    async def release(self, claim: Claim, *, now: float) -> None:
        self.asked.set()
        await self.let.wait()
        await super().release(claim, now=now)


def test_a_transcriber_that_ends_while_one_job_gives_way_to_another_gives_both_back() -> None:
    async def scenario() -> None:
        store = Slow()
        stand = Stand(lasting(1000), store=store, options=TranscriberOptions(express=0))
        await store.submit(job("a"))
        transcriber = asyncio.create_task(Transcriber("host", stand.options, stand.ports).run())
        await asyncio.sleep(200)
        await store.submit(job("b", tenant="other", created=stand.time()))
        await store.asked.wait()
        assert (await found(stand, "b")).status is JobStatus.RUNNING
        transcriber.cancel()
        await asyncio.sleep(1)
        assert not transcriber.done()
        store.let.set()
        await stopped(transcriber)
        for name in "ab":
            there = await found(stand, name)
            assert (there.status, there.attempts) == (JobStatus.QUEUED, 0)

    run(scenario())


def test_nobody_gives_way_where_everybody_has_something_at_work() -> None:
    async def scenario() -> None:
        stand = Stand(lasting(100), options=TranscriberOptions(slots=2, express=0))
        for number in range(4):
            await stand.store.submit(job(f"a{number}", tenant="a"))
            await stand.store.submit(job(f"b{number}", tenant="b"))
        async with transcribing(stand):
            await asyncio.sleep(900)
            assert stand.outcomes() == {}

    run(scenario())


def test_who_has_found_nothing_yet_does_not_give_way() -> None:
    async def scenario() -> None:
        async def silent(order: Order, tell: Callable[[Told], Awaitable[None]]) -> Over:
            await asyncio.sleep(1000)
            return Over(10.0, 0.1)

        stand = Stand(silent, options=TranscriberOptions(express=0))
        await stand.store.submit(job("a"))
        async with transcribing(stand):
            await stand.store.submit(job("b", tenant="other"))
            await asyncio.sleep(999)
            assert (await found(stand, "a")).status is JobStatus.RUNNING

    run(scenario())


def test_low_jobs_take_no_place_from_others() -> None:
    assert Priority.LOW not in gives_way_to(Priority.NORMAL, urgent_only=False)
    assert Priority.LOW in gives_way_to(Priority.LOW, urgent_only=False)
    assert gives_way_to(Priority.HIGH, urgent_only=True) == (Priority.HIGH,)


SUBMISSIONS = st.lists(
    st.tuples(
        st.integers(0, 300), st.sampled_from("abcd"), st.sampled_from([Priority.HIGH, Priority.NORMAL]), st.integers(1, 12)
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=25, deadline=None)
@given(slots=st.integers(1, 3), express=st.integers(0, 2), hosts=st.integers(1, 2), crowd=st.integers(0, 12), others=SUBMISSIONS)
def test_each_tenant_has_something_at_work_within_bounded_time(
    slots: int, express: int, hosts: int, crowd: int, others: Sequence[tuple[int, str, Priority, int]]
) -> None:
    """However many recordings without an end a crowd has handed in with high priority."""

    async def scenario() -> None:
        stand = Stand(lasting(100_000), options=TranscriberOptions(slots=slots, express=express))
        for number in range(crowd):
            await stand.store.submit(job(f"crowd{number}", tenant="crowd", priority=Priority.HIGH))
        tenants = {"crowd", *(tenant for _, tenant, _, _ in others)}
        # each slot serves one in a turn, and with fewer slots than tenants they come round
        limit = (len(tenants) + 1) * (TURN + PIECE + 2 * stand.options.beat) + WAITED
        left_out: dict[str, float] = {}
        coming = sorted(others, key=lambda each: each[0])
        async with transcribing(stand, hosts):
            for second in range(0, 900, 15):
                while coming and coming[0][0] <= second:
                    at, tenant, priority, count = coming.pop(0)
                    for number in range(count):
                        name = f"{tenant}-{at}-{len(coming)}-{number}"
                        await stand.store.submit(job(name, tenant=tenant, priority=priority, created=stand.time()))
                await asyncio.sleep(15)
                for tenant in tenants:
                    state = await stand.store.state(tenant=tenant, now=stand.time())
                    if state.running or not state.queued:
                        left_out.pop(tenant, None)
                    else:
                        since = left_out.setdefault(tenant, stand.time())
                        assert stand.time() - since <= limit + 15, f"{tenant} is left out"

    run(scenario())
