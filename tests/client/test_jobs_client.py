"""The client of recordings, against a gateway whose transcriber hears what it is told."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest

from gateway.gateway_harness import run
from gateway.recordings.desk_harness import Desked, desked, wav
from starling.client.errors import JobFailed, Refused, Unreachable
from starling.client.jobs import Jobs
from starling.client.task import Segment, Task
from starling.core.errors import Conflict, CorruptAudio, NotFound, Overloaded
from starling.core.hotwords import HotWord
from starling.core.jobs import Channels, JobError
from starling.gateway.recordings.options import RecordingOptions


def at(it: Desked) -> Jobs:
    return Jobs(f"http://{it.served.authority}")


def test_a_recording_from_path_file_and_bytes(tmp_path: Path) -> None:
    async def scenario() -> None:
        (tmp_path / "a talk.wav").write_bytes(wav())
        async with desked(tmp_path / "kept") as it, at(it) as jobs:
            for source in (tmp_path / "a talk.wav", io.BytesIO(wav()), wav()):
                task = await jobs.submit(source, words=True, formats=["srt"])
                done = await jobs.wait(task.task_id)
                assert done.result is not None
                assert done.result.text == "Hello there. Second thing."
                assert done.result.segments[1].words[0].word == "Second"
                assert done.result.files["srt"] == await jobs.text(task.task_id, "srt")
            page = await jobs.history(limit=2, status="done")
            assert len(page.tasks) == 2
            rest = await jobs.history(cursor=page.cursor)
            assert [task.name for task in rest.tasks] == ["a talk.wav"]
            await jobs.delete(rest.tasks[0].task_id)
            with pytest.raises(NotFound):
                await jobs.get(rest.tasks[0].task_id)

    run(scenario)


def test_options_arrive(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True) as it, at(it) as jobs:
            task = await jobs.submit(
                wav(channels=2), name="b.wav", hotwords=["Zagreb", HotWord("Pula", 2.0)], channels=Channels.SEPARATE, words=False
            )
            job = await it.store.get(task.task_id)
            assert job is not None
            assert [(word.phrase, word.weight) for word in job.options.config.hotwords] == [("Zagreb", 1.0), ("Pula", 2.0)]
            assert (job.options.channels, job.options.config.words, job.recording.name) == (Channels.SEPARATE, False, "b.wav")
            first = await jobs.submit(wav(), idempotency_key="x")
            assert (await jobs.submit(wav(), idempotency_key="x")).task_id == first.task_id
            with pytest.raises(Conflict):
                await jobs.submit(wav(1), idempotency_key="x")

    run(scenario)


def test_a_job_is_followed_over_lost_connections(tmp_path: Path) -> None:
    async def scenario() -> None:
        """Streams end all the time, and nothing comes twice or is missed."""
        options = RecordingOptions(stream_timeout=0.05)
        async with desked(tmp_path, idle=True, options=options) as it, at(it) as jobs:
            task = await jobs.submit(wav())
            asyncio.get_running_loop().call_later(0.3, it.scribe.working.set)
            news = [one async for one in jobs.follow(task.task_id)]
            assert [one.text for one in news if isinstance(one, Segment)] == ["Hello there.", "Second thing."]
            assert isinstance(news[-1], Task)
            assert news[-1].status.over

    run(scenario)


def test_what_goes_wrong_is_said(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path) as it, at(it) as jobs:
            with pytest.raises(CorruptAudio):
                await jobs.submit(b"no recording")
            it.scribe.error = JobError(code="corrupt_audio", message="it breaks off", final=True)
            task = await jobs.submit(wav())
            with pytest.raises(JobFailed, match="breaks off") as failed:
                await jobs.wait(task.task_id)
            assert failed.value.reason == "corrupt_audio"
            it.desk.drain()
            with pytest.raises(Overloaded):
                await jobs.submit(wav())
        async with Jobs("http://127.0.0.1:9") as nowhere:
            with pytest.raises(Unreachable, match="starling serve"):
                await nowhere.get("0" * 32)

    run(scenario)


def test_a_server_without_recordings(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path) as it, Jobs(f"http://{it.served.authority}", api_key="any") as jobs:
            with pytest.raises((Refused, NotFound)):
                await jobs.get("../../healthz")

    run(scenario)
