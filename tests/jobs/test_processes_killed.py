"""Processes on one file, killed at any moment: what was submitted is there, and is done once."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

from contracts.job_store_contract import LEASE, NOW, TODAY, claimed, job
from jobs.crash_worker import SEGMENTS, open_store
from patience import PATIENCE
from redis_server import RedisServer
from starling.core.jobs import JobQuery, JobStatus
from starling.jobs.sqlite.store import SqliteJobStore

ROOT = Path(__file__).parents[2]
KILLS = 6


def start(*arguments: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])}
    return subprocess.Popen([sys.executable, "-m", "jobs.crash_worker", *arguments], env=environment)  # noqa: S603 - our own


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def wait_for_lines(path: Path, count: int) -> None:
    until = time.monotonic() + PATIENCE
    while len(lines(path)) < count:
        assert time.monotonic() < until, f"expected {count} lines in {path.name}, got {len(lines(path))}"
        time.sleep(0.001)


def test_jobs_in_a_file_outlive_whoever_is_killed_and_end_once(tmp_path: Path) -> None:
    kill_workers(str(tmp_path / "jobs.db"), tmp_path)
    with closing(sqlite3.connect(tmp_path / "jobs.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_jobs_in_redis_outlive_whoever_is_killed_and_end_once(tmp_path: Path, redis_server: RedisServer) -> None:
    kill_workers(redis_server.url, tmp_path)


def kill_workers(place: str, tmp_path: Path) -> None:
    chance = random.Random(5)
    submitted = tmp_path / "submitted"
    workers = [start(place, str(tmp_path), f"w{number}") for number in range(2)]
    try:
        for kill in range(KILLS):
            wait_for_lines(submitted, len(lines(submitted)) + chance.randrange(5, 40))
            time.sleep(chance.random() * 0.01)  # anywhere in its work
            victim = workers.pop(0)
            victim.kill()
            victim.wait()
            if kill < KILLS - 2:
                workers.append(start(place, str(tmp_path), f"w{kill + 2}"))
        drained = start(place, str(tmp_path), "last", "drain")
        workers.append(drained)
        assert drained.wait(PATIENCE) == 0
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    asyncio.run(check(place, set(lines(submitted)), Counter(lines(tmp_path / "finished"))))


async def check(place: str, promised: set[str], finished: Counter[str]) -> None:
    store = open_store(place)
    found = (await store.history(JobQuery(tenant=None, limit=1_000_000))).jobs
    assert promised <= {each.job_id for each in found}
    assert {each.status for each in found} == {JobStatus.DONE}
    for each in found:
        texts = [one.transcript.text for one in await store.segments(each.job_id)]
        assert texts == [f"{each.job_id} {number}" for number in range(SEGMENTS)]
    for tenant in {each.tenant for each in found}:
        charged = [each.charge.audio for each in found if each.tenant == tenant and each.charge is not None]
        assert charged == [float(SEGMENTS)] * len(charged)
        assert await store.spent(tenant, day=TODAY) == SEGMENTS * len(charged), "each is charged once"
    assert set(finished.values()) == {1}
    assert len(found) - len(finished) <= KILLS, "only who was killed may not have said so"
    await store.close()


LOOKED = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
print(connection.execute("SELECT COUNT(*) FROM jobs").fetchone()[0])
connection.close()
"""


def test_who_leaves_is_not_the_last_as_long_as_others_are_there(tmp_path: Path) -> None:
    """Who is the last to leave a file deletes its log of changes: under the hands of the others, if their locks are lost."""
    path = tmp_path / "jobs.db"

    def looked() -> int:
        words = [sys.executable, "-c", LOOKED, str(path)]
        return int(subprocess.run(words, capture_output=True, check=True, timeout=PATIENCE).stdout)  # noqa: S603 - our own

    async def scenario() -> None:
        ours, another = SqliteJobStore(path), SqliteJobStore(path)
        await ours.submit(job("a"))
        await another.submit(job("b"))
        assert looked() == 2
        assert (tmp_path / "jobs.db-wal").exists()
        await another.close()
        await ours.submit(job("c"))
        assert looked() == 3
        assert (tmp_path / "jobs.db-wal").exists()
        await ours.close()

    asyncio.run(scenario())


def test_what_another_process_does_to_a_job_is_heard_of(tmp_path: Path) -> None:
    async def scenario() -> None:
        ours, theirs = SqliteJobStore(tmp_path / "jobs.db"), SqliteJobStore(tmp_path / "jobs.db")
        async with asyncio.timeout(PATIENCE), ours.changes("job-a") as changes:
            await anext(changes)
            await theirs.submit(job())
            while await ours.get("job-a") is None:
                await anext(changes)
            claim = await claimed(theirs)
            await theirs.heartbeat(claim, done=7.0, now=NOW, lease=LEASE)
            while (found := await ours.get("job-a")) is None or found.done < 7.0:
                await anext(changes)
            await theirs.delete("job-a")
            while await ours.get("job-a") is not None:
                await anext(changes)
        await ours.close()
        await theirs.close()

    asyncio.run(scenario())
