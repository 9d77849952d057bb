"""Where recordings are handed in, and what becomes of them there."""

from __future__ import annotations

import asyncio
import functools
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audio.streams import wav
from patience import PATIENCE
from recordings import recording
from starling.app.jobs import open_job_store, open_recordings
from starling.config.settings import Settings
from starling.core.audio import Samples
from starling.core.config import SessionConfig
from starling.core.job_store import JobStore, Recordings
from starling.core.jobs import Job, JobOptions, RecordingInfo
from starling.core.load import Priority
from starling.engine.scripted import ScriptedEngine
from starling.recognizer import Recognizer

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
