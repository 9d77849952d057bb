"""A gateway that takes recordings, jobs in memory, and a transcriber that hears what it is told."""

from __future__ import annotations

import asyncio
import io
import time
import wave
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import httpx2

from gateway.gateway_harness import Served, served
from patience import PATIENCE
from starling.core.audio import samples
from starling.core.errors import CorruptAudio
from starling.core.jobs import Channels, Claim, Job, JobError, JobSegment, JobWarning
from starling.core.ports import Capabilities
from starling.core.records import Checkpoint
from starling.core.transcript import Transcript, Word
from starling.gateway.options import GatewayOptions
from starling.gateway.recordings.desk import Desk
from starling.gateway.recordings.egress import Egress
from starling.gateway.recordings.options import RecordingOptions
from starling.gateway.recordings.ports import RecordingPorts
from starling.gateway.recordings.probing import Probed
from starling.jobs.directory import DirectoryRecordings
from starling.jobs.memory import MemoryJobStore
from starling.jobs.options import StoreOptions

ABLE = Capabilities(
    model="scripted",
    model_version="1",
    languages=("en",),
    word_times=True,
    confidence=True,
    max_utterance=480_000,
    hotwords=True,
)

SAID = ("Hello there.", "Second thing.")


def wav(seconds: float = 4.0, channels: int = 1) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(b"\0\0" * channels * round(seconds * 16_000))
    return made.getvalue()


class WaveProber:
    """Knows WAV files only."""

    async def probe(self, file: BinaryIO) -> Probed:
        try:
            with wave.open(file, "rb") as found:
                length = found.getnframes() / found.getframerate()
                return Probed(media_type="audio/wav", codec="pcm_s16le", channels=found.getnchannels(), duration=length)
        except (wave.Error, EOFError):
            raise CorruptAudio("expected a recording, got something else") from None

    async def close(self) -> None:
        pass


def segments(job: Job, said: Sequence[str] = SAID) -> list[JobSegment]:
    """Two seconds for each of ``said``, on every channel."""
    count = job.recording.channels if job.options.channels is Channels.SEPARATE else 1
    return [
        JobSegment(channel=channel, transcript=transcript(job.job_id, number, text))
        for channel in range(count)
        for number, text in enumerate(said)
    ]


def transcript(job_id: str, number: int, text: str) -> Transcript:
    start, end = samples(2.0 * number), samples(2.0 * number + 1.5)
    words = text.split()
    step = (end - start) // max(1, len(words))
    return Transcript(
        session_id=job_id,
        segment_id=number,
        revision=1,
        is_final=True,
        text=text,
        stable_text=text,
        start=start,
        end=end,
        confidence=0.9,
        words=tuple(Word(word, start + at * step, start + (at + 1) * step, 0.9) for at, word in enumerate(words)),
    )


@dataclass
class Scribe:
    """Works when it is let to. ``error``: what jobs fail with; ``warnings``: what is said of those that are done."""

    store: MemoryJobStore
    working: asyncio.Event = field(default_factory=asyncio.Event)
    error: JobError | None = None
    warnings: tuple[JobWarning, ...] = ()
    said: Sequence[str] = SAID
    claims: list[Claim] = field(default_factory=list)

    async def run(self) -> None:
        while True:
            await self.working.wait()
            if not await self.step():
                await asyncio.sleep(0.005)

    async def step(self) -> bool:
        claim = await self.store.claim("scribe", now=time.time(), lease=1e9)
        if claim is None:
            return False
        self.claims.append(claim)
        job = claim.job
        if self.error is not None:
            await self.store.fail(claim, self.error, now=time.time(), retry_at=None)
            return True
        await self.store.add(
            claim,
            segments(job, self.said),
            channel=0,
            checkpoint=Checkpoint(config=job.options.config),
            done=4.0,
            now=time.time(),
        )
        length = job.recording.duration or 4.0
        await self.store.finish(claim, now=time.time(), duration=length, warnings=self.warnings)
        return True


@dataclass
class Desked:
    """A gateway that takes recordings."""

    served: Served
    store: MemoryJobStore
    scribe: Scribe
    root: Path
    client: httpx2.AsyncClient

    @property
    def desk(self) -> Desk:
        desk = self.served.gateway.desk
        assert desk is not None
        return desk

    @property
    def kept(self) -> list[Path]:
        """Every file of a recording there is."""
        return [path for path in self.root.rglob("*") if path.is_file()]


@asynccontextmanager
async def desked(
    root: Path,
    *,
    gateway: GatewayOptions | None = None,
    options: RecordingOptions | None = None,
    egress: Egress | None = None,
    idle: bool = False,
    max_queued: int = 100,
    still: bool = False,
) -> AsyncIterator[Desked]:
    """``idle``: nobody transcribes yet. ``still``: see ``served``."""
    store = MemoryJobStore(StoreOptions(max_queued=max_queued))
    chosen = options or RecordingOptions()
    ports = RecordingPorts(
        store=store,
        recordings=DirectoryRecordings(root),
        prober=WaveProber(),
        egress=egress or Egress(chosen.allowed_networks),
        options=chosen,
    )
    scribe = Scribe(store)
    if not idle:
        scribe.working.set()
    async with (
        served(gateway, recordings=ports, capabilities=ABLE, still=still) as it,
        httpx2.AsyncClient(base_url=f"http://{it.authority}", timeout=PATIENCE, trust_env=False) as client,
    ):
        working = asyncio.create_task(scribe.run())
        try:
            yield Desked(it, store, scribe, root, client)
        finally:
            if working.done():
                working.result()
            working.cancel()
            await asyncio.wait([working])
    await store.close()


async def submitted(it: Desked, **options: object) -> str:
    """The id of a job of a short recording."""
    answer = await it.client.post("/api/v1/asr/submit", files={"audio": ("talk.wav", wav())}, data=options)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])


async def finished(it: Desked, task_id: str) -> dict[str, object]:
    """What is known of a job once it is over."""
    async with it.store.changes(task_id) as changes:
        async for _ in changes:
            job = await it.store.get(task_id)
            if job is None or job.status.over:
                break
    found: dict[str, object] = (await it.client.get(f"/api/v1/asr/result/{task_id}")).json()
    return found
