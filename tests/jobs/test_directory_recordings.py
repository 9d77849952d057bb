from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from contracts.recordings_contract import BYTES, RecordingsContract, chunks, keys, read
from starling.core.errors import StoreUnavailable
from starling.core.job_store import Recordings
from starling.jobs.directory import DirectoryRecordings
from virtual_time import inline, run


class TestDirectoryRecordings(RecordingsContract):
    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.path = tmp_path / "recordings"

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Recordings]:
        recordings = DirectoryRecordings(self.path, offload=inline)
        yield recordings
        await recordings.close()


def test_only_the_owner_may_look(tmp_path: Path) -> None:
    async def scenario() -> None:
        recordings = DirectoryRecordings(tmp_path / "r", offload=inline)
        await recordings.put(chunks(BYTES), limit=len(BYTES))

    run(scenario())
    for path in tmp_path.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_what_a_process_left_half_way_is_found_and_can_be_deleted_but_not_read(tmp_path: Path) -> None:
    async def scenario() -> None:
        recordings = DirectoryRecordings(tmp_path, offload=inline)
        left = "ab" * 16
        (tmp_path / "incoming" / left).write_bytes(b"half")
        (tmp_path / "incoming" / "note.txt").write_bytes(b"somebody's own")
        assert await keys(recordings) == [left]
        with pytest.raises(Exception, match="not kept any more"):
            await read(recordings, left)
        await recordings.delete(left)
        assert await keys(recordings) == []

    run(scenario())


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    async def scenario() -> None:
        recordings = DirectoryRecordings(tmp_path, offload=inline)
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StoreUnavailable, match="make room"):
            await recordings.put(chunks(BYTES), limit=len(BYTES))
        assert await keys(recordings) == []

    run(scenario())


def test_a_place_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable):
        DirectoryRecordings(tmp_path / "file" / "recordings")


def test_a_patient_place_is_made_once_it_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    async def scenario() -> None:
        recordings = DirectoryRecordings(tmp_path / "file" / "recordings", offload=inline, patient=True)
        async with aclosing(chunks(BYTES)) as coming:
            with pytest.raises(StoreUnavailable):
                await recordings.put(coming, limit=len(BYTES))
        (tmp_path / "file").unlink()
        key, _, _ = await recordings.put(chunks(BYTES), limit=len(BYTES))
        assert await keys(recordings) == [key]

    run(scenario())


def test_a_place_that_is_gone_is_said(tmp_path: Path) -> None:
    async def scenario() -> None:
        recordings = DirectoryRecordings(tmp_path / "r", offload=inline)
        (tmp_path / "r" / "incoming").rmdir()
        (tmp_path / "r").rmdir()
        async with aclosing(chunks(BYTES)) as coming:
            with pytest.raises(StoreUnavailable):
                await recordings.put(coming, limit=len(BYTES))
        assert await keys(recordings) == []

    run(scenario())
