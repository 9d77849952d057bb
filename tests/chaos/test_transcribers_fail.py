"""Real processes that transcribe recordings, and what ends them."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audio.streams import wav
from chaos.fragile_scribe import CRASHING, GREEDY, SPINNING, poisoned
from chaos.platform_harness import eventually, platform
from patience import PATIENCE
from processes import alive
from recordings import recording
from starling.app import scribes
from starling.app.jobs import open_job_store, open_recordings
from starling.app.transcribing import transcribing
from starling.config.settings import Settings
from starling.core.audio import Samples
from starling.core.config import SessionConfig
from starling.core.job_store import JobStore, Recordings
from starling.core.jobs import Job, JobOptions, JobStatus, RecordingInfo
from starling.core.load import Priority
from starling.engine.scripted import ScriptedEngine
from starling.recognizer import Recognizer
from starling.supervisor.processes import activity_of
from starling.telemetry.clock import SystemClock
from starling.telemetry.metrics import Metrics
from starling.transcriber import transcriber

CONFIG = SessionConfig(partials=False)

LONG = np.tile(recording("two_cities"), 16)
"""Twelve minutes: long enough to be hit in the middle."""


@dataclass
class Desk:
    """Where jobs are handed in."""

    store: JobStore
    recordings: Recordings

    async def submit(self, sound: Samples, priority: Priority = Priority.NORMAL) -> str:
        async def chunks() -> AsyncIterator[bytes]:
            yield wav(sound.tobytes())

        key, size, digest = await self.recordings.put(chunks(), limit=1 << 30)
        job_id = uuid.uuid4().hex
        info = RecordingInfo(
            key=key, name="call.wav", size=size, digest=digest, media_type="audio/wav", codec="pcm_s16le", channels=1,
            duration=len(sound) / 16_000,
        )  # fmt: skip
        await self.store.submit(
            Job(
                job_id=job_id, tenant="t", recording=info, options=JobOptions(config=CONFIG), created=time.time(),
                trace_id=uuid.uuid4().hex, priority=priority,
            )
        )  # fmt: skip
        return job_id

    async def now(self, job_id: str) -> Job:
        job = await self.store.get(job_id)
        assert job is not None
        return job

    async def over(self, job_id: str) -> Job:
        async with asyncio.timeout(PATIENCE):
            while not (job := await self.now(job_id)).status.over:  # noqa: ASYNC110 - other processes end it
                await asyncio.sleep(0.05)
        return job

    async def begun(self, job_id: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while not await self.store.segments(job_id):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)

    async def texts(self, job_id: str) -> list[str]:
        return [one.transcript.text for one in await self.store.segments(job_id)]


def chosen(directory: Path, **jobs: Any) -> dict[str, Any]:
    return {
        "store": f"sqlite:{directory / 'jobs.db'}", "recordings": str(directory / "recordings"), "log": "off", "workers": 1,
        "idle_only": False, "retry_wait": 0, "lease": 8,
    } | jobs  # fmt: skip


@asynccontextmanager
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    store, recordings = open_job_store(settings), open_recordings(settings)
    try:
        yield Desk(store, recordings)
    finally:
        await recordings.close()
        await store.close()


@asynccontextmanager
async def at_work(directory: Path, **jobs: Any) -> AsyncIterator[Desk]:
    settings = Settings.model_validate({"engine": {"name": "scripted"}, "jobs": chosen(directory, **jobs)})
    async with desk(settings) as here, transcribing(settings, 1, clock=SystemClock(), metrics=Metrics()):
        yield here


def texts(sound: Samples) -> list[str]:
    with Recognizer(engine=ScriptedEngine()) as recognizer:
        return [final.text for final in recognizer.transcribe(sound, CONFIG) if final.text]


@functools.cache
def long_texts() -> list[str]:
    return texts(LONG)


def named(comm: str, parent: int) -> list[int]:
    """Process ids below ``parent`` that are called so."""
    found = []
    for children in Path(f"/proc/{parent}/task").glob("*/children"):
        for child in children.read_text().split():
            try:
                name = Path(f"/proc/{child}/comm").read_text().strip()
            except OSError:
                continue
            found += [int(child)] * (name == comm) + named(comm, int(child))
    return found


def test_a_recording_is_transcribed_as_it_would_be_live(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with at_work(tmp_path) as here:
            job = await here.over(job_id := await here.submit(recording("two_cities")))
            assert (job.status, job.error) == (JobStatus.DONE, None)
            assert await here.texts(job_id) == texts(recording("two_cities"))
        assert named("scribe", os.getpid()) == []
        assert named("template-scribe", os.getpid()) == []

    asyncio.run(scenario())


def test_a_long_recording_gives_way_to_one_that_somebody_waits_for_and_goes_on_where_it_was(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with at_work(tmp_path) as here:
            await here.begun(long := await here.submit(LONG))
            [theirs] = named("scribe", os.getpid())
            os.kill(theirs, signal.SIGSTOP)  # that it is not done before, however slow the rest is
            other = await here.submit(LONG)
            first = await here.submit(recording("two_cities"), Priority.HIGH)
            assert (await here.over(first)).status is JobStatus.DONE
            assert await here.texts(first) == texts(recording("two_cities"))
            assert (await here.now(other)).status is JobStatus.QUEUED
            assert (await here.now(long)).status is JobStatus.RUNNING
            job = await here.over(long)
            assert (job.status, job.attempts) == (JobStatus.DONE, 1)
            assert await here.texts(long) == long_texts()
            assert (await here.over(other)).status is JobStatus.DONE

    asyncio.run(scenario())


def test_who_gives_way_ends_with_its_transcriber(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with at_work(tmp_path) as here:
            await here.begun(long := await here.submit(LONG))
            [theirs] = named("scribe", os.getpid())
            os.kill(theirs, signal.SIGSTOP)  # that it is not done before
            await here.begun(await here.submit(LONG, Priority.HIGH))
        settings = Settings.model_validate({"jobs": chosen(tmp_path)})
        async with desk(settings) as here:
            assert (await here.now(long)).status is JobStatus.QUEUED
        assert not alive(theirs)

    asyncio.run(scenario())


def test_a_killed_scribe_costs_an_attempt_and_no_text(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with at_work(tmp_path) as here:
            job_id = await here.submit(LONG)
            await here.begun(job_id)
            for pid in named("scribe", os.getpid()):
                os.kill(pid, signal.SIGKILL)
            job = await here.over(job_id)
            assert (job.status, job.attempts) == (JobStatus.DONE, 2)
            assert await here.texts(job_id) == long_texts()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("how", "code", "attempts"),
    [(CRASHING, "scribe_ended", 3), (SPINNING, "too_much_computing", 3), (GREEDY, "out_of_memory", 1)],
)
def test_a_recording_that_ends_its_scribe_fails_and_harms_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: int, code: str, attempts: int
) -> None:
    monkeypatch.setattr(scribes, "MODULE", "chaos.fragile_scribe")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]))
    loud = poisoned(recording("beckett"), how)

    async def scenario() -> None:
        async with at_work(tmp_path) as here:
            bad, good = await here.submit(loud), await here.submit(recording("beckett"))
            assert (await here.over(good)).status is JobStatus.DONE
            job = await here.over(bad)
            assert job.error is not None
            assert (job.status, job.error.code, job.attempts) == (JobStatus.FAILED, code, attempts)

    asyncio.run(scenario())


def test_templates_that_are_killed_before_they_are_any_use_delay_a_recording_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcriber, "PATIENCE", 1e6)  # who gave the job back would never take it again
    killed: set[int] = set()

    async def scenario() -> None:
        async with at_work(tmp_path) as here:
            job_id = await here.submit(recording("two_cities"))
            async with asyncio.timeout(PATIENCE):
                while len(killed) < 4:
                    for pid in set(named("template-scribe", os.getpid())) - killed:
                        os.kill(pid, signal.SIGKILL)
                        killed.add(pid)
                    await asyncio.sleep(0.01)
            job = await here.over(job_id)
            assert (job.status, job.attempts) == (JobStatus.DONE, 1)

    asyncio.run(scenario())


def test_a_killed_transcriber_beside_a_server_is_replaced_and_its_job_goes_on(tmp_path: Path) -> None:
    jobs = chosen(tmp_path)
    environment = {f"STARLING_JOBS__{name.upper()}": str(value) for name, value in jobs.items()}

    async def scenario() -> None:
        async with (
            platform(workers=1, settings=environment) as server,
            desk(Settings.model_validate({"jobs": jobs})) as here,
        ):
            job_id = await here.submit(LONG)
            await here.begun(job_id)
            [pid] = server.of_role("transcriber")
            theirs = [*named("scribe", pid), *named("template-scribe", pid)]
            assert len(theirs) == 2
            os.kill(pid, signal.SIGKILL)
            await eventually(lambda: not any(map(alive, theirs)))
            job = await here.over(job_id)
            assert (job.status, job.attempts) == (JobStatus.DONE, 2)
            assert await here.texts(job_id) == long_texts()
            await eventually(lambda: len(server.of_role("transcriber")) == 1)
        assert server.of_role("transcriber") == []

    asyncio.run(scenario())


def test_who_stood_still_from_the_beginning_ends_with_a_killed_transcriber(tmp_path: Path) -> None:
    jobs = chosen(tmp_path, express=1)
    environment = {f"STARLING_JOBS__{name.upper()}": str(value) for name, value in jobs.items()}

    async def scenario() -> None:
        async with (
            platform(workers=1, settings=environment) as server,
            desk(Settings.model_validate({"jobs": jobs})) as here,
        ):
            await here.begun(await here.submit(LONG))
            [pid] = server.of_role("transcriber")
            [first] = named("scribe", pid)
            os.kill(first, signal.SIGSTOP)  # that it is not done before
            await here.begun(await here.submit(LONG, Priority.HIGH))
            [second] = {*named("scribe", pid)} - {first}
            os.kill(second, signal.SIGSTOP)
            os.kill(first, signal.SIGKILL)  # its job is begun again, and has to stand still at once

            def standing() -> list[int]:
                theirs = {*named("scribe", pid), *named("template-scribe", pid)} - {first, second}
                return [one for one in theirs if activity_of(one).stopped]

            await eventually(lambda: len(standing()) == 1)
            theirs = [second, *standing(), *named("template-scribe", pid)]
            os.kill(pid, signal.SIGKILL)
            await eventually(lambda: not any(map(alive, theirs)))

    asyncio.run(scenario())


def test_who_is_asked_to_end_gives_the_job_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with at_work(tmp_path) as here:
            await here.begun(job_id := await here.submit(LONG))
        settings = Settings.model_validate({"jobs": chosen(tmp_path)})
        async with desk(settings) as here:
            assert (await here.now(job_id)).status is JobStatus.QUEUED
            assert (await here.now(job_id)).attempts == 0
        async with at_work(tmp_path) as here:
            assert (await here.over(job_id)).status is JobStatus.DONE
            assert await here.texts(job_id) == long_texts()

    asyncio.run(scenario())
