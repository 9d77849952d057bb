from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from contracts.job_store_contract import LEASE, NOW, JobStoreContract, checkpoint, claimed, job, segment
from patience import PATIENCE
from starling.core.errors import StoreUnavailable
from starling.core.job_store import JobStore
from starling.core.jobs import JobQuery
from starling.jobs.life import Observer, Step, Verb
from starling.jobs.options import StoreOptions
from starling.jobs.sqlite.database import Database
from starling.jobs.sqlite.store import SqliteJobStore
from virtual_time import inline, run


class TestSqliteJobStore(JobStoreContract):
    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.path = tmp_path / "jobs.db"

    @asynccontextmanager
    async def opened(self, options: StoreOptions, observe: Observer | None) -> AsyncIterator[JobStore]:
        store = SqliteJobStore(self.path, options, observe=observe, offload=inline)
        try:
            yield store
        finally:
            await store.close()


SAID = "the merger is off"


def test_only_the_owner_may_look(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = SqliteJobStore(tmp_path / "new" / "jobs.db", offload=inline)
        await store.submit(job())
        found = list((tmp_path / "new").iterdir())
        assert {path.name for path in found} >= {"jobs.db", "jobs.db-wal", "jobs.db-shm"}
        assert all(path.stat().st_mode & 0o077 == 0 for path in found)
        await store.close()

    run(scenario())


def test_nothing_of_a_deleted_job_stays_on_the_disk(tmp_path: Path) -> None:
    def on_disk() -> bool:
        return any(SAID.encode() in path.read_bytes() for path in tmp_path.iterdir())

    async def scenario() -> None:
        store = SqliteJobStore(tmp_path / "jobs.db", offload=inline)
        await store.submit(job())
        claim = await claimed(store)
        found = [segment(number, text=SAID) for number in range(50)]
        await store.add(claim, found, channel=0, checkpoint=checkpoint(1000, 1), done=1.0, now=NOW)
        assert on_disk()
        await store.purge()
        full = (tmp_path / "jobs.db").stat().st_size
        await store.delete("job-a")
        await store.purge()
        assert not on_disk()
        assert (tmp_path / "jobs.db").stat().st_size < full
        await store.close()

    run(scenario())


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 1000")
    with pytest.raises(StoreUnavailable, match="newer Starling"):
        SqliteJobStore(path)


def test_something_else_is_no_file_of_jobs(tmp_path: Path) -> None:
    (tmp_path / "jobs.db").write_text("Dear diary, " * 100)
    with pytest.raises(StoreUnavailable, match="cannot open"):
        SqliteJobStore(tmp_path / "jobs.db")
    with pytest.raises(StoreUnavailable, match="cannot open"):
        SqliteJobStore(tmp_path)


def test_a_patient_store_is_opened_once_it_can_be(tmp_path: Path) -> None:
    (tmp_path / "jobs").write_text("in the way")
    path, time = tmp_path / "jobs" / "jobs.db", 100.0
    database = Database(path, patient=True, now=lambda: time)
    for wait in (0.5, 1.0, 1.0, 0.5):  # the third tries again, and has to wait for longer
        with pytest.raises(StoreUnavailable, match="tries again by itself") as refused:
            database.run("SELECT 1")
        assert str(tmp_path) not in refused.value.message
        time += wait
    (tmp_path / "jobs").unlink()
    with pytest.raises(StoreUnavailable):
        database.run("SELECT 1")
    time += 8.0
    assert database.run("SELECT 1") == [(1,)]
    database.close()


def test_who_has_a_patient_store_needs_to_do_nothing(tmp_path: Path) -> None:
    (tmp_path / "jobs").write_text("in the way")

    async def scenario() -> None:
        store = SqliteJobStore(tmp_path / "jobs" / "jobs.db", offload=inline, patient=True)
        with pytest.raises(StoreUnavailable):
            await store.submit(job())
        (tmp_path / "jobs").unlink()
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    await store.submit(job())
                    break
                except StoreUnavailable:
                    await asyncio.sleep(0.1)
        assert await store.claim("w", now=NOW, lease=LEASE) is not None
        await store.close()

    asyncio.run(scenario())


def test_what_was_undone_is_not_told(tmp_path: Path) -> None:
    steps: list[Step] = []

    async def scenario() -> None:
        store = SqliteJobStore(tmp_path / "jobs.db", observe=steps.append, offload=inline)
        await store.submit(job())
        with closing(sqlite3.connect(tmp_path / "jobs.db")) as connection:
            connection.execute("CREATE TRIGGER full BEFORE UPDATE ON jobs BEGIN SELECT RAISE(ABORT, 'no room'); END")
        with pytest.raises(sqlite3.IntegrityError):
            await store.claim("w", now=NOW, lease=LEASE)
        await asyncio.sleep(0)
        assert [step.verb for step in steps] == [Verb.SUBMIT]
        assert await store.get("job-a") == job()
        assert (await store.history(JobQuery(tenant=None))).jobs == (job(),)
        await store.close()

    run(scenario())


def test_submitting_and_finishing_reach_the_disk_and_progress_needs_not(tmp_path: Path) -> None:
    """SQLite says so itself: 2 is FULL, 1 is NORMAL."""

    async def scenario() -> None:
        store = SqliteJobStore(tmp_path / "jobs.db", offload=inline)
        for call, level in (
            (store.submit(job()), 2),
            (store.claim("w", now=NOW, lease=LEASE), 1),
            (store.cancel("job-a", now=NOW), 2),
        ):
            await call
            assert store._written.run("PRAGMA synchronous") == [(level,)]
        await store.close()

    run(scenario())
