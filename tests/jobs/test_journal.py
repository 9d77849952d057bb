from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contracts.job_store_contract import ERROR, LEASE, NOW, claimed, job
from patience import PATIENCE
from starling.jobs.journal import Journal
from starling.jobs.life import Step, Verb
from starling.jobs.memory import MemoryJobStore
from virtual_time import run


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def journal(path: Path, *, max_bytes: int = 1 << 20, files: int = 5) -> Journal:
    return Journal(path, max_bytes=max_bytes, files=files, wall=lambda: NOW + 50)


def test_the_life_of_a_job_is_one_line_per_step(tmp_path: Path) -> None:
    path = tmp_path / "new" / "jobs.jsonl"
    written = journal(path)

    async def scenario() -> None:
        store = MemoryJobStore(observe=written)
        await store.submit(job())
        claim = await claimed(store, NOW + 2)
        await store.fail(claim, ERROR, now=NOW + 3, retry_at=NOW + 3)
        claim = await claimed(store, NOW + 4)
        await store.heartbeat(claim, done=1.0, now=NOW + 5, lease=LEASE)
        await store.finish(claim, now=NOW + 6.5, duration=61.5)
        await store.delete("job-a")

    run(scenario())
    written.close()
    who = {"job_id": "job-a", "trace_id": "ab" * 16, "tenant": "t", "priority": "normal", "size": 1000}
    at = "2023-11-14T22:13:{}+00:00".format
    assert lines(path) == [
        {"at": at("20.000"), "event": "submitted", "status": "queued", "audio": 60.0} | who,
        {"at": at("22.000"), "event": "claimed", "status": "running", "attempt": 1, "worker": "w", "audio": 60.0, "waited": 2.0}
        | who,
        {"at": at("23.000"), "event": "postponed", "status": "queued", "attempt": 1, "audio": 60.0, "error": "corrupt_audio"}
        | who,
        {"at": at("24.000"), "event": "claimed", "status": "running", "attempt": 2, "worker": "w", "audio": 60.0} | who,
        {"at": at("26.500"), "event": "done", "status": "done", "attempt": 2, "worker": "w", "audio": 61.5, "took": 2.5} | who,
        {"at": "2023-11-14T22:14:10.000+00:00", "event": "deleted", "attempt": 2, "worker": "w", "audio": 61.5} | who,
    ]
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("verb", Verb)
def test_no_line_has_a_name_a_message_or_a_secret(tmp_path: Path, verb: Verb) -> None:
    path = tmp_path / "jobs.jsonl"
    failed = replace(job(), error=replace(ERROR, message="expected speech, got 'the merger is off'"))
    journal(path)(Step(verb, failed, NOW))
    written = path.read_text()
    assert not [word for word in ("Interview", "merger", "example.org", "secret", "key-a", "00000000") if word in written]


def test_a_file_that_is_full_is_put_aside_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "jobs.jsonl"
    writers = [journal(path, max_bytes=1000, files=3) for _ in range(2)]
    for number in range(30):
        writers[number % 2](Step(Verb.SUBMIT, job(f"{number:02}"), NOW))
    kept = [lines(tmp_path / name) for name in ("jobs.jsonl.2", "jobs.jsonl.1", "jobs.jsonl")]
    assert {found.name for found in tmp_path.iterdir()} == {"jobs.jsonl", "jobs.jsonl.1", "jobs.jsonl.2", "jobs.jsonl.lock"}
    written = [int(line["job_id"].removeprefix("job-")) for file in kept for line in file]
    assert written == list(range(written[0], 30))
    assert len(written) >= 6
    assert all((tmp_path / name).stat().st_size <= 1000 for name in ("jobs.jsonl", "jobs.jsonl.1", "jobs.jsonl.2"))


def test_one_file_only_begins_anew(tmp_path: Path) -> None:
    written = journal(tmp_path / "jobs.jsonl", max_bytes=1000, files=1)
    for number in range(30):
        written(Step(Verb.SUBMIT, job(f"{number}"), NOW))
    assert lines(tmp_path / "jobs.jsonl")[-1]["job_id"] == "job-29"
    assert not (tmp_path / "jobs.jsonl.1").exists()


WRITER = """
import sys
sys.path[:0] = sys.argv[3:]
from pathlib import Path
from contracts.job_store_contract import NOW, job
from starling.jobs.journal import Journal
from starling.jobs.life import Step, Verb
journal = Journal(Path(sys.argv[1]), max_bytes=20_000, files=100)
for number in range(300):
    journal(Step(Verb.SUBMIT, job(f"{sys.argv[2]}-{number}"), NOW))
"""


def test_several_processes_lose_no_line(tmp_path: Path) -> None:
    path = tmp_path / "jobs.jsonl"
    root = Path(__file__).parents[2]
    places = [str(root / "src"), str(root / "tests")]
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name, *places]) for name in "abc"]  # noqa: S603 - our own
    assert [writer.wait(PATIENCE) for writer in writers] == [0, 0, 0]
    written = [line["job_id"] for file in tmp_path.glob("jobs.jsonl*") if file.suffix != ".lock" for line in lines(file)]
    assert sorted(written) == sorted(f"job-{name}-{number}" for name in "abc" for number in range(300))


def test_a_disk_that_takes_nothing_loses_no_job(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    written = journal(tmp_path / "file" / "jobs.jsonl")

    async def scenario() -> None:
        store = MemoryJobStore(observe=written)
        await store.submit(job())
        assert await store.cancel("job-a", now=NOW) is not None

    run(scenario())
