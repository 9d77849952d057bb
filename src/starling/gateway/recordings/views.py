"""What the API says, typed: every response of ``/api/v1`` is one of these. Times of day are UTC; spans are seconds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, Field

from starling.core.audio import seconds
from starling.core.jobs import Channels, Job, JobSegment, JobStatus, QueueState
from starling.core.load import Priority
from starling.core.transcript import Word
from starling.gateway.recordings.formats import Format, by_time, plain_text, written

TASK_ID = r"^[0-9a-f]{32}$"

TaskId = Annotated[str, Field(pattern=TASK_ID, description="as `submit` answered it")]


class Failure(BaseModel):
    """Why a job failed."""

    code: str = Field(description="stable name of the error")
    message: str = Field(description="for a person")
    retryable: bool = Field(description="whether trying again may help")


class Warned(BaseModel):
    """What whoever reads the text must know of the recording."""

    code: str = Field(description="`damaged`, `breaks_off`, `gaps` or `no_speech`; there may be others")
    message: str = Field(description="for a person")
    at: float | None = Field(description="seconds, where it is about a moment")


class WordView(BaseModel):
    """One word."""

    word: str
    start: float
    end: float
    confidence: float | None = Field(description="0 to 1")


class SegmentView(BaseModel):
    """What was said without a long pause."""

    id: int
    channel: int = Field(description="counts from 0; 0 of a mix")
    start: float
    end: float
    text: str
    confidence: float | None = Field(description="0 to 1")
    words: list[WordView] = Field(description="empty unless they were asked for")


class TranscriptView(BaseModel):
    """What was said in a recording, in the order of time."""

    text: str
    language: str
    duration: float
    segments: list[SegmentView]
    files: dict[str, str] = Field(description="the same in the formats that `submit` named")


class Submitted(BaseModel):
    """A job that was taken in: it survives whatever happens to this server."""

    task_id: TaskId
    status: JobStatus
    position: int | None = Field(description="jobs before it, while it is queued")


class TaskView(BaseModel):
    """A job without its text."""

    task_id: TaskId
    status: JobStatus
    progress: float = Field(ge=0, le=1)
    position: int | None = Field(description="jobs before it, while it is queued, where that was looked up")
    tenant: str
    priority: Priority
    created: datetime
    started: datetime | None
    finished: datetime | None
    attempts: int
    name: str = Field(description="as its client calls it")
    size: int = Field(description="bytes")
    media_type: str = Field(description="as found in it")
    codec: str
    duration: float | None = Field(description="as its header says, or as found when it is done")
    channels: Channels
    language: str
    kept: bool = Field(description="whether the recording itself is still there")
    error: Failure | None
    warnings: list[Warned] = Field(description="of a job that is done: what may be missing in its text")


class TaskResult(TaskView):
    """A job, and its text once it is done."""

    result: TranscriptView | None


class History(BaseModel):
    """A page of jobs, the newest first."""

    tasks: list[TaskView]
    cursor: str = Field(description="for the next page; empty after the last")


class QueueView(BaseModel):
    """What waits."""

    queued: int
    running: int
    done: int
    failed: int
    cancelled: int
    oldest: datetime | None = Field(description="when the oldest that waits was submitted")
    waiting_audio: float = Field(description="seconds of recordings that wait, where known")
    workers: int = Field(description="transcribers at work")


class Deleted(BaseModel):
    """A job that is forgotten, with its recording and its text. ``status``: what it was last."""

    task_id: TaskId
    status: JobStatus


def task(job: Job, position: int | None = None) -> TaskView:
    """``job`` for its client."""
    return TaskView(
        task_id=job.job_id,
        status=job.status,
        progress=round(job.progress, 4),
        position=position,
        tenant=job.tenant,
        priority=job.priority,
        created=_time(job.created),
        started=None if job.started is None else _time(job.started),
        finished=None if job.finished is None else _time(job.finished),
        attempts=job.attempts,
        name=job.recording.name,
        size=job.recording.size,
        media_type=job.recording.media_type,
        codec=job.recording.codec,
        duration=None if job.recording.duration is None else round(job.recording.duration, 3),
        channels=job.options.channels,
        language=job.options.config.language,
        kept=bool(job.recording.key),
        error=None
        if job.error is None
        else Failure(code=job.error.code, message=job.error.message, retryable=not job.error.final),
        warnings=[Warned(code=one.code, message=one.message, at=_rounded(one.at)) for one in job.warnings],
    )


def result(job: Job, position: int | None, segments: Sequence[JobSegment]) -> TaskResult:
    """The same, with its text if it is done."""
    text = transcript(job, segments) if job.status is JobStatus.DONE else None
    return TaskResult(**task(job, position).model_dump(), result=text)


def transcript(job: Job, segments: Sequence[JobSegment]) -> TranscriptView:
    """What was said."""
    return TranscriptView(
        text=plain_text(segments),
        language=job.options.config.language,
        duration=duration_of(job),
        segments=[segment(number, one) for number, one in enumerate(by_time(segments))],
        files={form: written(Format(form), segments) for form in job.options.formats},
    )


def segment(number: int, one: JobSegment) -> SegmentView:
    """One segment."""
    said = one.transcript
    return SegmentView(
        id=number,
        channel=one.channel,
        start=_span(said.start),
        end=_span(said.end),
        text=said.text,
        confidence=_rounded(said.confidence),
        words=[_word(word) for word in said.words],
    )


def queue(state: QueueState) -> QueueView:
    """What waits."""
    return QueueView(
        queued=state.queued,
        running=state.running,
        done=state.done,
        failed=state.failed,
        cancelled=state.cancelled,
        oldest=None if state.oldest is None else _time(state.oldest),
        waiting_audio=round(state.waiting_audio, 3),
        workers=len(state.workers),
    )


def duration_of(job: Job) -> float:
    """Seconds of audio there were, as far as is known."""
    return round(job.done if job.done > 0 else job.recording.duration or 0.0, 3)


def _word(word: Word) -> WordView:
    return WordView(word=word.text, start=_span(word.start), end=_span(word.end), confidence=_rounded(word.confidence))


def _time(unix: float) -> datetime:
    return datetime.fromtimestamp(unix, UTC)


def _span(position: int) -> float:
    return round(seconds(position), 3)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
