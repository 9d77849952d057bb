from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contracts.job_store_contract import ERROR, NOW, claimed, job
from contracts.recordings_contract import chunks, keys
from starling.core.errors import StoreUnavailable
from starling.core.jobs import DAY, Job, JobQuery, JobStatus
from starling.jobs.directory import DirectoryRecordings
from starling.jobs.memory import MemoryJobStore
from starling.jobs.retention import EVERY, Fate, Policy, Pruned, Retention, RetentionOptions, prune
from virtual_time import inline, run, stopped


def over(number: int, *, age: float, audio: bool = True) -> Job:
    found = replace(job(f"{number:03}", created=NOW - age - 1), status=JobStatus.DONE, finished=NOW - age)
    return found if audio else replace(found, recording=replace(found.recording, key=""))


JOBS = st.lists(st.tuples(st.floats(0, 20), st.booleans()), max_size=30).map(
    lambda found: [over(number, age=days * DAY, audio=audio) for number, (days, audio) in enumerate(sorted(found))]
)


@given(jobs=JOBS, recordings=st.integers(0, 10), results=st.integers(0, 20), age=st.floats(0, 20), longer=st.floats(0, 20))
def test_what_stays_is_within_bounds_and_nothing_goes_that_is(
    jobs: list[Job], recordings: int, results: int, age: float, longer: float
) -> None:
    options = RetentionOptions(
        max_recordings=recordings, recording_age=age * DAY, max_results=results, result_age=(age + longer) * DAY
    )
    policy = Policy(options, now=NOW)
    fates = [(each, policy.judge(each)) for each in jobs]
    kept = [each for each, fate in fates if fate is not Fate.GOES]
    heard = [each for each, fate in fates if fate is Fate.STAYS and each.recording.key]
    assert len(kept) <= results
    assert len(heard) <= recordings
    for number, (each, fate) in enumerate(fates):
        assert each.finished is not None
        old = NOW - each.finished
        if fate is Fate.GOES:
            assert old >= options.result_age or number >= results
        if fate is Fate.LOSES_AUDIO:
            assert each.recording.key
            assert old >= options.recording_age or len(heard) == recordings
        if fate is not Fate.GOES:
            assert old < options.result_age


def scene(tmp_path: Path, scenario: Callable[[MemoryJobStore, DirectoryRecordings], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        store = MemoryJobStore()
        recordings = DirectoryRecordings(tmp_path, offload=inline)
        await scenario(store, recordings)

    run(main())


async def submitted(store: MemoryJobStore, recordings: DirectoryRecordings, number: int) -> Job:
    key, *_ = await recordings.put(chunks(b"sound"), limit=10)
    new = job(f"{number}", created=NOW + number)
    return await store.submit(replace(new, recording=replace(new.recording, key=key)))


OPTIONS = RetentionOptions(max_recordings=1, max_results=2)


def test_old_audio_goes_first_then_the_job(tmp_path: Path) -> None:
    async def scenario(store: MemoryJobStore, recordings: DirectoryRecordings) -> None:
        jobs = [await submitted(store, recordings, number) for number in range(5)]
        for _ in range(2):
            await store.finish(await claimed(store, NOW + 10), now=NOW + 10, duration=1.0)
        await store.fail(await claimed(store, NOW + 10), ERROR, now=NOW + 10, retry_at=None)
        await store.cancel(jobs[3].job_id, now=NOW + 10)
        expected = Pruned(jobs=2, recordings=3, size=3000)
        assert await prune(store, recordings, OPTIONS, now=NOW + 20, dry_run=True) == expected
        assert len(await keys(recordings)) == 5
        assert await prune(store, recordings, OPTIONS, now=NOW + 20) == expected
        left = (await store.history(JobQuery(tenant=None))).jobs
        assert [(each.job_id, bool(each.recording.key)) for each in left] == [("job-4", True), ("job-3", True), ("job-2", False)]
        assert await keys(recordings) == sorted([jobs[3].recording.key, jobs[4].recording.key])
        assert await prune(store, recordings, OPTIONS, now=NOW + 20) == Pruned()

    scene(tmp_path, scenario)


def test_by_age(tmp_path: Path) -> None:
    async def scenario(store: MemoryJobStore, recordings: DirectoryRecordings) -> None:
        await submitted(store, recordings, 0)
        await store.cancel("job-0", now=NOW + 10)
        options = RetentionOptions(recording_age=DAY, result_age=2 * DAY)
        assert not (await prune(store, recordings, options, now=NOW + DAY)).any
        assert (await prune(store, recordings, options, now=NOW + DAY + 10)) == Pruned(recordings=1, size=1000)
        assert (await prune(store, recordings, options, now=NOW + 2 * DAY + 10)) == Pruned(jobs=1)

    scene(tmp_path, scenario)


def test_left_overs_go_when_nobody_can_be_about_to_name_them(tmp_path: Path) -> None:
    async def scenario(store: MemoryJobStore, recordings: DirectoryRecordings) -> None:
        named = await submitted(store, recordings, 0)
        left, *_ = await recordings.put(chunks(b"left over"), limit=10)
        half = "ab" * 16
        (tmp_path / "incoming" / half).write_bytes(b"ha")
        [stored] = {round(at) for key, at in [found async for found in recordings.keys()] if key == left}  # noqa: SIM118
        assert not (await prune(store, recordings, OPTIONS, now=stored + DAY - 60)).any
        assert (await prune(store, recordings, OPTIONS, now=stored + DAY + 60, dry_run=True)) == Pruned(orphans=2)
        assert (await prune(store, recordings, OPTIONS, now=stored + DAY + 60)) == Pruned(orphans=2)
        assert await keys(recordings) == [named.recording.key]

    scene(tmp_path, scenario)


def test_what_was_retried_meanwhile_is_spared(tmp_path: Path) -> None:
    class Racing(MemoryJobStore):
        async def delete(self, job_id: str, *, only_over: bool = False) -> Job | None:
            await self.retry(job_id, now=NOW)
            return await super().delete(job_id, only_over=only_over)

    async def scenario() -> None:
        store, recordings = Racing(), DirectoryRecordings(tmp_path, offload=inline)
        await submitted(store, recordings, 0)
        await store.cancel("job-0", now=NOW)
        assert not (await prune(store, recordings, RetentionOptions(max_results=0), now=NOW)).any
        assert await keys(recordings)

    run(scenario())


def test_one_of_many_does_it_and_another_when_it_is_gone(tmp_path: Path) -> None:
    class Counting(MemoryJobStore):
        rounds = 0

        async def unnamed(self, keys: Sequence[str]) -> Sequence[str]:
            self.rounds += 1
            return []

    async def scenario() -> None:
        store, recordings = Counting(), DirectoryRecordings(tmp_path, offload=inline)
        loop = asyncio.get_running_loop()
        tasks = [
            asyncio.create_task(
                Retention(store, recordings, OPTIONS, worker=f"{os.getpid()}-{name}", wall=lambda: NOW + loop.time()).run(),
                name=name,
            )
            for name in "abc"
        ]
        await asyncio.sleep(10.5 * EVERY)
        assert store.rounds == 11
        await stopped(tasks[0])
        await asyncio.sleep(10 * EVERY)
        assert 17 <= store.rounds <= 20
        for task in tasks[1:]:
            await stopped(task)

    run(scenario())


def test_a_store_that_is_away_is_asked_again(tmp_path: Path) -> None:
    class Away(MemoryJobStore):
        asked = 0

        async def take_turn(self, chore: str, worker: str, *, now: float, lease: float) -> bool:
            self.asked += 1
            raise StoreUnavailable("the disk is full")

    async def scenario() -> None:
        store, recordings = Away(), DirectoryRecordings(tmp_path, offload=inline)
        task = asyncio.create_task(Retention(store, recordings, OPTIONS, worker="w").run())
        await asyncio.sleep(2.5 * EVERY)
        assert store.asked == 3
        await stopped(task)

    run(scenario())
