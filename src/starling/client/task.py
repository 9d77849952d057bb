"""What a server says of recordings, as the client has it. Spans are seconds; times of day are ISO 8601, UTC."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, TypedDict

import msgspec

from starling.core.config import Quality
from starling.core.hotwords import HotWord
from starling.core.jobs import Channels, JobStatus
from starling.core.load import Priority

FileFormat: TypeAlias = Literal["text", "srt", "vtt", "tsv"]

TaskId: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{1,128}\Z")]
"""Of a job: part of paths and of names of files, so it can be no path itself."""

Seconds: TypeAlias = Annotated[float, msgspec.Meta(ge=0.0, le=1e8)]


class JobOptions(TypedDict, total=False):
    """Keyword arguments of ``Jobs.submit``; what is left out is as the server has it.

    ``idempotency_key``: the same one and the same recording give the same job, however often they are sent.
    """

    language: str
    quality: Quality
    priority: Priority
    words: bool
    hotwords: list[str | HotWord]
    channels: Channels
    formats: list[FileFormat]
    callback: str
    callback_secret: str
    idempotency_key: str


class Failure(msgspec.Struct, frozen=True):
    """Why a job failed."""

    code: str
    message: str
    retryable: bool


class Warned(msgspec.Struct, frozen=True):
    """What whoever reads the text must know of the recording. ``at``: seconds, where it is about a moment."""

    code: str
    message: str
    at: float | None


class Word(msgspec.Struct, frozen=True):
    """One word. ``confidence``: 0 to 1."""

    word: str
    start: Seconds
    end: Seconds
    confidence: float | None


class Segment(msgspec.Struct, frozen=True):
    """What was said without a long pause. ``channel``: counts from 0, and is 0 of a mix."""

    id: int
    channel: int
    start: Seconds
    end: Seconds
    text: str
    confidence: float | None
    words: list[Word]


class Transcript(msgspec.Struct, frozen=True):
    """All that was said. ``files``: by their format, those that ``submit`` asked for."""

    text: str
    language: str
    duration: Seconds
    segments: list[Segment]
    files: dict[str, str]


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A job. ``position``: jobs before it while it is queued. ``result``: once it is done, where that was asked for."""

    task_id: TaskId
    status: JobStatus
    progress: float
    position: int | None
    tenant: str
    priority: Priority
    created: str
    started: str | None
    finished: str | None
    attempts: int
    name: str
    size: int
    media_type: str
    codec: str
    duration: Seconds | None
    channels: Channels
    language: str
    kept: bool
    error: Failure | None
    warnings: list[Warned] = []
    result: Transcript | None = None


class Page(msgspec.Struct, frozen=True):
    """Some of the jobs, the newest first. ``cursor``: for the next page; empty after the last."""

    tasks: list[Task]
    cursor: str


class Submitted(msgspec.Struct, frozen=True):
    """A job that was taken in."""

    task_id: TaskId
    status: JobStatus
    position: int | None


class Queue(msgspec.Struct, frozen=True):
    """What waits. ``oldest``: when the oldest that waits was submitted; ``waiting_audio``: seconds, where known."""

    queued: int
    running: int
    done: int
    failed: int
    cancelled: int
    oldest: str | None
    waiting_audio: float
    workers: int
