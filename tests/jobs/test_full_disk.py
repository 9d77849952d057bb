"""A disk without a byte of room: what makes room works all the same."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.job_store_contract import LEASE, NOW, checkpoint, job, segment
from starling.core.errors import StoreFull
from starling.core.jobs import JobSegment, JobStatus
from starling.jobs.directory import DirectoryRecordings
from starling.jobs.sqlite.reserve import RESERVED, Reserve
from starling.jobs.sqlite.store import SqliteJobStore

ROOM = 16 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of ROOM bytes."""
    place = tmp_path / "disk"
    place.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root mounts file systems")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "none", place], check=False, capture_output=True)  # noqa: S603, S607
    if mounted.returncode:
        pytest.skip("this machine mounts no file systems for us")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)  # noqa: S603, S607


def fill(disk: Path) -> None:
    """Leave no room."""
    with (disk / "ballast").open("ab", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    with pytest.raises(OSError, match="No space"):
        (disk / "more").write_bytes(bytes(4096))


def wordy(number: int) -> JobSegment:
    found = segment(number)
    return replace(found, transcript=replace(found.transcript, text="word " * 400))


async def kept(store: SqliteJobStore, name: str, *, segments: int) -> None:
    """A job that is done, with a long text."""
    await store.submit(replace(job(name), priority=job().priority))
    claim = await store.claim("w", now=NOW, lease=LEASE)
    assert claim is not None
    for start in range(0, segments, 100):
        found = [wordy(number) for number in range(start, start + 100)]
        await store.add(claim, found, channel=0, checkpoint=checkpoint(1000, start), done=1.0, now=NOW)
    await store.finish(claim, now=NOW, duration=60.0)


async def crowd(store: SqliteJobStore) -> None:
    """More jobs than there is room for."""
    for number in range(1000):
        await store.submit(job(f"more{number}"))


def test_jobs_are_deleted_where_nothing_can_be_written(disk: Path) -> None:
    async def scenario() -> None:
        store = SqliteJobStore(disk / "jobs.db")
        try:
            await kept(store, "long", segments=2000)
            await kept(store, "short", segments=0)
            await store.submit(job("waits"))
            await store.purge()
            fill(disk)
            with pytest.raises(StoreFull):
                await crowd(store)
            before = await store.segments("job-long")
            assert len(before) == 2000
            assert await store.delete("job-short") is not None
            assert await store.cancel("job-waits", now=NOW) is not None
            assert await store.forget_audio("job-waits") is not None
            deleted = await store.delete("job-long")
            assert deleted is not None
            assert deleted.status is JobStatus.DONE
            assert await store.get("job-long") is None
            assert len(await store.segments("job-long")) == 0
            await store.purge()
            await store.submit(job("again"))
        finally:
            await store.close()

    asyncio.run(scenario())


def test_a_store_on_a_full_disk_opens_to_delete(disk: Path) -> None:
    async def scenario() -> None:
        store = SqliteJobStore(disk / "jobs.db")
        await kept(store, "a", segments=0)
        await store.close()
        fill(disk)
        store = SqliteJobStore(disk / "jobs.db")
        try:
            assert await store.delete("job-a") is not None
        finally:
            await store.close()

    asyncio.run(scenario())


def test_recordings_on_a_full_disk_are_refused_and_deleted(disk: Path) -> None:
    async def piece(size: int) -> AsyncIterator[bytes]:
        yield bytes(size)

    async def scenario() -> None:
        recordings = DirectoryRecordings(disk / "recordings")
        key, _, _ = await recordings.put(piece(1 << 20), limit=ROOM)
        fill(disk)
        with pytest.raises(StoreFull, match="make room"):
            await recordings.put(piece(1 << 20), limit=ROOM)
        await recordings.delete(key)
        await recordings.put(piece(1 << 19), limit=ROOM)

    asyncio.run(scenario())


def test_room_is_reserved_once_and_given_back(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "jobs.db")
    reserve.fill()
    reserve.fill()
    [file] = tmp_path.iterdir()
    assert file.stat().st_size == RESERVED
    assert file.stat().st_blocks * 512 >= RESERVED
    assert reserve.release()
    assert not reserve.release()
    with closing(os.scandir(tmp_path)) as left:
        assert not list(left)


def test_a_reserve_that_is_none_becomes_one(tmp_path: Path) -> None:
    """As copies make it that leave holes where there are zeros, and other hands."""
    path, reserve = tmp_path / "jobs.db.reserve", Reserve(tmp_path / "jobs.db")
    for size in (RESERVED, 10, 3 * RESERVED):
        path.write_bytes(b"")
        os.truncate(path, size)
        reserve.fill()
        assert (path.stat().st_size, path.stat().st_blocks * 512 >= RESERVED) == (RESERVED, True)


def test_what_stands_in_the_place_of_a_reserve_is_left_alone(tmp_path: Path) -> None:
    path, reserve, precious = tmp_path / "jobs.db.reserve", Reserve(tmp_path / "jobs.db"), tmp_path / "precious"
    precious.write_bytes(b"precious")
    path.symlink_to(precious)
    reserve.fill()
    assert precious.read_bytes() == b"precious"
    path.unlink()
    os.mkfifo(path)
    reserve.fill()
    path.unlink()
    path.mkdir()
    reserve.fill()
    assert not reserve.release()
    assert path.is_dir()
