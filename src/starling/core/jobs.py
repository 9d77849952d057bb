"""Recorded audio: what a job is, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from starling.core.config import SessionConfig
from starling.core.load import Priority
from starling.core.records import Checkpoint
from starling.core.tracing import SpanContext
from starling.core.transcript import Transcript

DAY: Final = 86_400
"""Seconds."""

UNKNOWN_RATE: Final = 4_000
"""Bytes a second that a recording is taken to have whose header does not say how long it is: 32 kbit/s, which is low."""


class JobStatus(StrEnum):
    """Where a job is. Of the last three nothing follows but a retry or the end of its retention."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        """Whether nobody works on it any more."""
        return self in {JobStatus.DONE, JobStatus.FAILED, JobStatus.CANCELLED}


class Channels(StrEnum):
    """What becomes of the channels of a recording: one text of all, or one each."""

    MIXED = "mixed"
    SEPARATE = "separate"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingInfo:
    """A recording as it was received. ``key``: where ``Recordings`` has it, empty once it is not kept any more.

    ``name``: what the client calls it, for people only.

    ``size``: in bytes. ``digest``: SHA-256 of the bytes, 64 hexadecimal digits. ``media_type``: as sniffed, never as declared.
    ``duration``: seconds as its header says, or None; ``channels``: likewise. ``codec``: FFmpeg's name of it.
    """

    key: str
    name: str = field(repr=False)
    size: int
    digest: str
    media_type: str
    codec: str
    channels: int
    duration: float | None = None

    @property
    def expected(self) -> float:
        """Seconds that it lasts, as its header says or its size lets expect."""
        return self.size / UNKNOWN_RATE if self.duration is None else self.duration


@dataclass(frozen=True, slots=True)
class Charge:
    """Seconds of ``audio`` that the account of a tenant is charged on ``day`` (days since 1970 UTC).

    ``limit``: seconds that it may have on a day, None for any number.
    """

    audio: float
    day: int
    limit: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """Who is told when a job is over: ``url``, with a signature by ``secret``, which no log and no answer ever shows.

    ``form``: how the message is written; empty is Starling's own, else the name of another server's dialect and, after ``?``,
    what its client asked for.
    """

    url: str
    secret: str = field(default="", repr=False)
    form: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """What a job asks for. ``config``: as of a session, without partials. ``formats``: files that its result also carries."""

    config: SessionConfig
    channels: Channels = Channels.MIXED
    callback: Callback | None = None
    formats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobError:
    """Why a job failed, for its client: ``code`` and ``message`` are those of the error. ``final``: trying again is no use."""

    code: str
    message: str
    final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobWarning:
    """What whoever reads the text of a job must know of its recording, such as that it breaks off.

    ``code``: its stable name; ``message``: for a person; ``at``: seconds, where it is about a moment.
    """

    code: str
    message: str
    at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One recording on its way to a text. Times are Unix seconds.

    ``attempts``: how often it was claimed since it was submitted or retried. ``not_before``: it is not claimed earlier.
    ``done``: seconds of audio that have been transcribed. ``error``: why it failed; until then, what went wrong last time.
    ``warnings``: of a job that is done. ``charge``: what is expected of it, or was done if that is more, and once it is over what
    was transcribed.
    ``worker``: who has it, or had it last. ``trace_id``: 32 hexadecimal digits, in every line that is logged of it.
    ``span``: that of its submission, where it is recorded.
    """

    job_id: str
    tenant: str
    recording: RecordingInfo
    options: JobOptions
    created: float
    trace_id: str
    priority: Priority = Priority.NORMAL
    status: JobStatus = JobStatus.QUEUED
    attempts: int = 0
    not_before: float = 0.0
    started: float | None = None
    finished: float | None = None
    done: float = 0.0
    error: JobError | None = None
    warnings: tuple[JobWarning, ...] = ()
    charge: Charge | None = None
    worker: str = ""
    span: SpanContext | None = None

    @property
    def progress(self) -> float:
        """0 to 1; 0 while nobody can say."""
        if self.status is JobStatus.DONE:
            return 1.0
        length = self.recording.duration
        return min(0.999, self.done / length) if length else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSegment:
    """One final of a recording. ``transcript.session_id`` is the job's id; ``channel`` counts from 0, and is 0 of a mix."""

    channel: int
    transcript: Transcript


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A worker's right to work on ``job``, good until ``until`` (Unix seconds) unless a heartbeat renews it.

    ``fence``: no two claims of a job have the same, and who holds an older one is refused. ``checkpoints``: by channel, where an
    earlier attempt got to; what it found before is kept, so work goes on from there.
    """

    job: Job
    worker: str
    fence: int
    until: float
    checkpoints: tuple[Checkpoint | None, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The right to tell the callback of ``job``, which is over.

    ``attempt``: counts from 1, and anew when the job was retried. ``fence``: no two deliveries of a job have the same.
    """

    job: Job
    attempt: int
    fence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuery:
    """Which jobs, the newest first. ``tenant`` None is everybody's. ``search``: in the name. ``cursor``: of the page before."""

    tenant: str | None
    statuses: tuple[JobStatus, ...] = ()
    search: str = ""
    since: float | None = None
    until: float | None = None
    limit: int = 50
    cursor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """A page of jobs. ``cursor``: for the next one; empty after the last."""

    jobs: tuple[Job, ...]
    cursor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """What the queue has. ``waiting_audio``: seconds of recordings queued, where known. ``workers``: alive, by their leases."""

    queued: int
    running: int
    done: int
    failed: int
    cancelled: int
    oldest: float | None
    waiting_audio: float
    workers: tuple[str, ...]
