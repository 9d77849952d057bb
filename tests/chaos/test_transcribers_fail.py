"""Real processes that transcribe recordings, and what ends them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chaos.desk import LONG, Desk, chosen, desk, long_texts, named, texts
from chaos.fragile_scribe import CRASHING, GREEDY, SPINNING, poisoned
from chaos.platform_harness import eventually, platform
from patience import PATIENCE
from processes import alive
from recordings import recording
from starling.app import scribes
from starling.app.transcribing import transcribing
from starling.config.settings import Settings
from starling.core.jobs import JobStatus
from starling.core.load import Priority
from starling.supervisor.processes import activity_of
from starling.telemetry.clock import SystemClock
from starling.telemetry.metrics import Metrics
from starling.transcriber import transcriber


@asynccontextmanager
async def at_work(directory: Path, **jobs: Any) -> AsyncIterator[Desk]:
    settings = Settings.model_validate({"engine": {"name": "scripted"}, "jobs": chosen(directory, **jobs)})
    async with desk(settings) as here, transcribing(settings, 1, clock=SystemClock(), metrics=Metrics()):
        yield here


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
