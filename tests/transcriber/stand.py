"""A transcriber on virtual time: jobs in memory, and scribes that do what a test says."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from starling.core.config import SessionConfig
from starling.core.errors import RecordingGone
from starling.core.jobs import Job, JobOptions, JobSegment, RecordingInfo
from starling.core.records import Checkpoint
from starling.core.transcript import Transcript
from starling.jobs.memory import MemoryJobStore
from starling.jobs.options import StoreOptions
from starling.telemetry.metrics import Metrics
from starling.transcriber.findings import Found
from starling.transcriber.messages import Order, Over, Told
from starling.transcriber.options import TranscriberOptions
from starling.transcriber.ports import Ports

CONFIG = SessionConfig(partials=False)
EPOCH = 1_700_000_000.0

Script = Callable[[Order, Callable[[Told], Awaitable[None]]], Awaitable[Over]]


def job(name: str = "a", **changes: object) -> Job:
    recording = RecordingInfo(
        key=f"key-{name}", name=f"{name}.wav", size=1000, digest="00" * 32, media_type="audio/wav", codec="pcm_s16le", channels=1,
        duration=60.0,
    )  # fmt: skip
    fields = {"tenant": "t", "options": JobOptions(config=CONFIG), "created": EPOCH, "trace_id": "0" * 32, "recording": recording}
    return Job(job_id=name, **(fields | changes))  # type: ignore[arg-type]  # a test's own doing


def told(start: int, count: int, *, done: float, channel: int = 0, job_id: str = "a") -> Told:
    """``count`` segments from number ``start`` on, of a second each, and the checkpoint behind them."""
    segments = tuple(
        JobSegment(
            channel=channel,
            transcript=Transcript(
                session_id=job_id, segment_id=number, revision=1, is_final=True, text=f"text {number}",
                stable_text=f"text {number}", start=number * 16_000, end=number * 16_000 + 8_000,
            ),
        )
        for number in range(start, start + count)
    )  # fmt: skip
    checkpoint = Checkpoint(config=CONFIG, position=(start + count) * 16_000, next_segment=start + count)
    return Told(done, (Found(channel=channel, segments=segments, checkpoint=checkpoint),))


class KeptRecordings:
    """Recordings of which only keys matter."""

    def __init__(self, *, gone: Sequence[str] = ()) -> None:
        self.gone = gone
        self.open_files: list[BinaryIO] = []

    async def open(self, key: str) -> BinaryIO:
        if key in self.gone:
            raise RecordingGone("this recording is not kept any more: submit it again")
        self.open_files.append(io.BytesIO(bytes(1000)))
        return self.open_files[-1]

    async def put(self, chunks: AsyncIterator[bytes], *, limit: int) -> tuple[str, int, str]:
        raise NotImplementedError

    def read(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        raise NotImplementedError

    async def delete(self, key: str) -> None:
        raise NotImplementedError

    def keys(self) -> AsyncIterator[tuple[str, float]]:
        raise NotImplementedError

    async def close(self) -> None: ...


@dataclass
class ScriptedScribes:
    """Do one script after the other, the last one again and again. ``orders``: what came; ``at_work``: how many there are now."""

    scripts: list[Script]
    orders: list[Order] = field(default_factory=list)
    at_work: int = 0
    most: int = 0

    async def transcribe(self, order: Order, file: BinaryIO, told: Callable[[Told], Awaitable[None]]) -> Over:
        assert not file.closed
        self.orders.append(order)
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        try:
            return await script(order, told)
        finally:
            self.at_work -= 1


class Stand:
    """What a transcriber stands on in a test."""

    def __init__(
        self,
        *scripts: Script,
        store: MemoryJobStore | None = None,
        gone: Sequence[str] = (),
        options: TranscriberOptions | None = None,
    ) -> None:
        self.store = store or MemoryJobStore(StoreOptions(max_attempts=3))
        self.recordings = KeptRecordings(gone=gone)
        self.scribes = ScriptedScribes(list(scripts))
        self.options = options or TranscriberOptions()
        self.metrics = Metrics()
        self.ports = Ports(
            store=self.store,
            recordings=self.recordings,
            scribes=self.scribes,
            metrics=self.metrics,
            time=self.time,
            draw=lambda: 0.5,
        )

    def time(self) -> float:
        return EPOCH + asyncio.get_running_loop().time()

    def outcomes(self) -> dict[str, float]:
        """Attempts by what became of them, without those that did not happen."""
        [family] = self.metrics.job_attempts.collect()
        return {one.labels["outcome"]: one.value for one in family.samples if one.name.endswith("_total") and one.value}


async def does(order: Order, told_: Callable[[Told], Awaitable[None]]) -> Over:
    """Ten segments in ten seconds."""
    first = order.checkpoints[0].next_segment if order.checkpoints and order.checkpoints[0] else 0
    for number in range(first, 10):
        await asyncio.sleep(1)
        await told_(told(number, 1, done=number + 1.0, job_id=order.job_id))
    return Over(10.0, 0.1)
