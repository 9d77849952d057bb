"""``starling jobs``."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contracts.job_store_contract import ERROR, checkpoint, job, segment
from contracts.recordings_contract import chunks, keys
from starling.app.jobs import open_job_store, open_recordings
from starling.cli.archive_here import check_jobs
from starling.cli.entry import run
from starling.cli.exits import ExitCode
from starling.config.doctor import Status
from starling.config.loading import load_settings
from starling.core.job_store import JobStore, Recordings
from starling.core.jobs import Job, JobStatus

A, B = "a" * 32, "b" * 32
"""Jobs."""


@pytest.fixture(autouse=True)
def _somewhere_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


def stored(call: Callable[[JobStore, Recordings], Awaitable[Any]]) -> Any:
    """What ``call`` answers, on the store that the commands find."""

    async def main() -> Any:
        settings = load_settings().settings
        store, recordings = open_job_store(settings), open_recordings(settings)
        try:
            return await call(store, recordings)
        finally:
            await store.close()
            await recordings.close()

    return asyncio.run(main())


async def submitted(store: JobStore, recordings: Recordings, name: str = "a", tenant: str = "t") -> Job:
    key, *_ = await recordings.put(chunks(b"sound"), limit=10)
    new = job(name, tenant=tenant, created=time.time())
    return await store.submit(replace(new, job_id=name * 32, recording=replace(new.recording, key=key)))


async def failed(store: JobStore, recordings: Recordings) -> None:
    await submitted(store, recordings)
    claim = await store.claim("w", now=time.time(), lease=30.0)
    assert claim is not None
    found = [segment(1, text="and the other"), segment(0, text="one")]
    await store.add(claim, found, channel=0, checkpoint=checkpoint(1), done=1.0, now=time.time())
    await store.fail(claim, ERROR, now=time.time(), retry_at=None)


def test_jobs_are_listed_as_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    async def fill(store: JobStore, recordings: Recordings) -> None:
        await failed(store, recordings)
        await submitted(store, recordings, "b", "acme")

    stored(fill)
    assert run(["jobs", "list"]) == ExitCode.OK
    shown = capsys.readouterr()
    assert "Interview A.wav" in shown.out
    assert B in shown.out
    assert "1 queued, 0 running, 0 done, 1 failed" in shown.err
    for arguments, expected in (
        (["--status", "failed"], [A]),
        (["--tenant", "acme"], [B]),
        (["--search", "interview"], [B, A]),
        (["--limit", "1"], [B]),
    ):
        assert run(["jobs", "list", "--json", *arguments]) == ExitCode.OK
        found = json.loads(capsys.readouterr().out)
        assert [one["task_id"] for one in found] == expected
        assert "secret" not in found[0]


def test_a_job_is_shown_and_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    stored(failed)
    assert run(["jobs", "show", A]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert "expected audio, got something else (corrupt_audio)" in shown
    assert "kept" in shown
    assert run(["jobs", "show", "--text", A]) == ExitCode.OK
    assert capsys.readouterr().out == "one\nand the other\n"
    assert run(["jobs", "show", "--text", "--json", A]) == ExitCode.OK
    assert [one["text"] for one in json.loads(capsys.readouterr().out)] == ["one", "and the other"]
    for arguments in (["show", "c" * 32], ["show", "--text", "c" * 32], ["retry", "c" * 32], ["delete", "c" * 32]):
        assert run(["jobs", *arguments]) == ExitCode.FAILURE
        assert "starling jobs list" in capsys.readouterr().err


def test_a_job_is_retried_cancelled_and_deleted_with_its_recording(capsys: pytest.CaptureFixture[str]) -> None:
    stored(failed)

    def status() -> JobStatus | None:
        found = stored(lambda store, _: store.get(A))
        return found and found.status  # type: ignore[no-any-return]

    assert run(["jobs", "retry", A]) == ExitCode.OK
    assert status() is JobStatus.QUEUED
    assert run(["jobs", "retry", A]) == ExitCode.USAGE
    assert "is queued, so it cannot be queued again" in capsys.readouterr().err
    assert run(["jobs", "cancel", A]) == ExitCode.OK
    assert status() is JobStatus.CANCELLED
    assert run(["jobs", "delete", A]) == ExitCode.OK
    assert status() is None
    assert stored(lambda _, recordings: keys(recordings)) == []


def test_texts_are_written_in_every_format(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    async def done(store: JobStore, recordings: Recordings) -> None:
        await submitted(store, recordings)
        claim = await store.claim("w", now=time.time(), lease=30.0)
        assert claim is not None
        await store.add(claim, [segment(0, text="one")], channel=0, checkpoint=checkpoint(1), done=1.0, now=time.time())
        await store.finish(claim, now=time.time(), duration=1.0)
        await submitted(store, recordings, "b")

    stored(done)
    assert run(["jobs", "result", A]) == ExitCode.OK
    assert capsys.readouterr().out == "Channel 1: one\n"
    assert run(["jobs", "result", A, "--format", "srt"]) == ExitCode.OK
    assert capsys.readouterr().out.startswith("1\n00:00:0")
    assert run(["jobs", "result", A, "--format", "json"]) == ExitCode.OK
    assert [one["text"] for one in json.loads(capsys.readouterr().out)["segments"]] == ["one"]
    assert run(["jobs", "result", A, A, B, "-f", "vtt", "-o", "texts"]) == ExitCode.FAILURE
    assert "the job is queued, and has a text once it is done" in capsys.readouterr().err
    written = sorted(path.name for path in (tmp_path / "texts").iterdir())
    assert written == ["Interview A.vtt", f"{A}-Interview A.vtt"]
    assert run(["jobs", "queue", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["queued"] == 1
    assert run(["jobs", "queue"]) == ExitCode.OK
    assert "transcribers" in capsys.readouterr().out


def test_pruning_says_what_goes_before_it_goes(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    stored(failed)
    monkeypatch.setenv("STARLING_JOBS__MAX_RECORDINGS", "0")
    assert run(["jobs", "prune", "--dry-run"]) == ExitCode.OK
    assert "would delete 0 jobs with their texts, 1 recordings" in capsys.readouterr().err
    assert len(stored(lambda _, recordings: keys(recordings))) == 1
    assert run(["jobs", "prune"]) == ExitCode.OK
    assert "deleted 0 jobs with their texts, 1 recordings" in capsys.readouterr().err
    assert stored(lambda _, recordings: keys(recordings)) == []


@pytest.mark.parametrize("store", ["postgres://x", "sqlite:", "jobs.db"])
def test_a_store_that_is_none_is_said(store: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STARLING_JOBS__STORE", store)
    assert run(["jobs", "list"]) == ExitCode.USAGE
    assert "expected sqlite:PATH" in capsys.readouterr().err


def test_doctor_says_whether_jobs_can_be_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stored(failed)
    check = check_jobs(load_settings().settings)
    assert (check.status, check.detail) == (Status.OK, "0 recordings to do, 1 over and kept")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STARLING_JOBS__RECORDINGS", str(tmp_path / "file" / "recordings"))
    check = check_jobs(load_settings().settings)
    assert check.status is Status.WARN
    assert "recordings cannot be kept" in check.detail
