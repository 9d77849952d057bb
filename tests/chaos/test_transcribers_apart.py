"""``starling transcriber`` as a process of its own, and what happens to the one that it keeps."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from chaos.desk import LONG, chosen, desk, long_texts, named
from chaos.platform_harness import eventually
from patience import PATIENCE
from processes import alive, strike
from starling.config.settings import Settings
from starling.core.jobs import JobStatus

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="scribes are forked and confined as Linux does it")

_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Apart:
    """``process``: the parent, whose exit status counts. ``url``: of the status page, once models are loaded."""

    process: asyncio.subprocess.Process
    log: list[str]
    listening: asyncio.Task[None]

    @property
    def url(self) -> str:
        [line] = [line for line in self.log if "status at http" in line]
        return line.split()[-1].removesuffix("status")

    def workers(self) -> list[int]:
        """Process ids of those that transcribe: one, but while it is replaced."""
        return named("transcriber", self.process.pid)

    async def replaced(self, old: int) -> int:
        """The process id of the one after ``old``."""
        await eventually(lambda: bool(self.workers()) and self.workers() != [old])
        return self.workers()[0]

    async def until_said(self, words: str) -> None:
        await eventually(lambda: any(words in line for line in self.log) or self.listening.done())
        assert any(words in line for line in self.log), "".join(self.log)

    async def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Its exit status."""
        strike(self.process, how)
        return await self.ended()

    async def ended(self) -> int:
        async with asyncio.timeout(PATIENCE):
            status = await self.process.wait()
            await self.listening
        return status


@asynccontextmanager
async def apart(settings: dict[str, str], *options: str) -> AsyncIterator[Apart]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "starling", "transcriber", "--log-format", "json", *options,
        env=os.environ | {"STARLING_ENGINE__NAME": "scripted"} | settings,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    errors, log = process.stderr, list[str]()

    async def listen() -> None:
        while line := await errors.readline():
            log.append(line.decode())

    it = Apart(process, log, asyncio.create_task(listen()))
    try:
        yield it
    finally:
        await it.end(signal.SIGKILL)


def environment(jobs: dict[str, object]) -> dict[str, str]:
    return {f"STARLING_JOBS__{name.upper()}": str(value) for name, value in jobs.items()}


def asked(url: str) -> int:
    """The status of a GET."""
    try:
        with _DIRECTLY.open(url, timeout=PATIENCE) as answer:
            json.load(answer)
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_one_that_is_killed_or_stands_still_is_replaced_and_its_job_goes_on(tmp_path: Path, how: signal.Signals) -> None:
    jobs = chosen(tmp_path)

    async def scenario() -> None:
        async with apart(environment(jobs), "--status-port", "0") as it, desk(Settings.model_validate({"jobs": jobs})) as here:
            await it.until_said("transcribing 1 recording at once")
            job_id = await here.submit(LONG)
            await here.begun(job_id)
            [pid] = it.workers()
            theirs = [*named("scribe", pid), *named("template-scribe", pid)]
            assert len(theirs) == 2
            os.kill(pid, how)
            before = len(await here.texts(job_id))
            successor = await it.replaced(pid)
            await eventually(lambda: not any(map(alive, theirs)))
            job = await here.over(job_id)
            assert (job.status, job.attempts) == (JobStatus.DONE, 2)
            assert await here.texts(job_id) == long_texts()
            assert 0 < before < len(long_texts()), "it was hit in the middle"
            assert await asyncio.to_thread(asked, f"{it.url}readyz") == 200
            assert it.workers() == [successor]
            assert any('"process hangs"' in line for line in it.log) == (how is signal.SIGSTOP)
            assert await it.end() == 0, "".join(it.log)
            assert not alive(successor)

    asyncio.run(scenario())


def test_who_is_asked_to_end_gives_its_jobs_back_and_ends_well_whatever_happened_before(tmp_path: Path) -> None:
    jobs = chosen(tmp_path, workers=2)

    async def scenario() -> None:
        async with apart(environment(jobs), "--workers", "2") as it, desk(Settings.model_validate({"jobs": jobs})) as here:
            await it.until_said("transcribing 2 recordings at once")
            [first] = it.workers()
            os.kill(first, signal.SIGKILL)
            await it.replaced(first)
            both = []
            for _ in range(2):
                both.append(await here.submit(LONG))
                await here.begun(both[-1])
                for pid in named("scribe", it.process.pid):
                    os.kill(pid, signal.SIGSTOP)  # that it is not done before
            theirs = [*it.workers(), *named("scribe", it.process.pid)]
            assert len(theirs) == 3, "two at once, as it was told to"
            assert await it.end() == 0, "".join(it.log)
            assert not any(map(alive, theirs))
            for job_id in both:
                job = await here.now(job_id)
                assert (job.status, job.attempts) == (JobStatus.QUEUED, 0)

    asyncio.run(scenario())


def test_a_killed_parent_leaves_nobody(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with apart(environment(chosen(tmp_path))) as it:
            await it.until_said("transcribing 1 recording at once")
            [pid] = it.workers()
            theirs = [pid, *named("template-scribe", pid)]
            assert await it.end(signal.SIGKILL) == -signal.SIGKILL
            await eventually(lambda: not any(map(alive, theirs)))

    asyncio.run(scenario())


def test_one_that_cannot_begin_is_not_tried_again(tmp_path: Path) -> None:
    (tmp_path / "nowhere").write_text("a file")

    async def scenario() -> None:
        async with apart(environment(chosen(tmp_path, store=f"sqlite:{tmp_path}/nowhere/jobs.db"))) as it:
            assert await it.ended() == 1
            assert sum('"process started"' in line for line in it.log) == 1
            assert it.log[-1].startswith("starling: ")
            assert "nowhere" in it.log[-1]

    asyncio.run(scenario())
