"""Recorded audio: what a job is, what becomes of it, and the seams that keep it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import BinaryIO, Final, Protocol

from starling.core.config import SessionConfig
from starling.core.load import Priority
from starling.core.records import Checkpoint
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
    """Seconds of ``audio`` that the account of a tenant is charged on ``day`` (days since 1970 UTC)."""

    audio: float
    day: int


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
    ``warnings``: of a job that is done. ``charge``: what is expected of it, and once it is over what was transcribed.
    ``worker``: who has it, or had it last. ``trace_id``: 32 hexadecimal digits, in every line that is logged of it.
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


class JobStore(Protocol):
    """Queue and history of jobs. A job that ``submit`` answered survives the end of any process at any moment.

    Every call is one atomic step. What a worker found is stored once, however often it was computed: calls with a Claim whose
    fence is old raise ClaimLost and change nothing.
    """

    async def submit(self, job: Job, *, idempotency_key: str = "") -> Job:
        """Queue ``job``, or answer the one that this tenant submitted with the same key before, which has another ``job_id``:
        then the recording of ``job`` is the caller's to delete.

        Raises Conflict if that one was of another recording or other options, QuotaExceeded where the tenant has too many queued.
        """

    async def get(self, job_id: str) -> Job | None:
        """The job as it is now, if there is one."""

    async def segments(self, job_id: str, *, after: int = 0) -> Sequence[JobSegment]:
        """What was found so far, in the order of finding, without the first ``after``."""

    async def claim(
        self, worker: str, *, now: float, lease: float, priorities: Collection[Priority] = tuple(Priority)
    ) -> Claim | None:
        """Start work on the next job: by priority, tenants in turn, then the oldest; one whose lease ran out counts as queued.

        One that was claimed too often becomes failed (a dead letter) instead. Jobs of other ``priorities`` are left to others.
        """

    async def heartbeat(self, claim: Claim, *, done: float, now: float, lease: float) -> Claim:
        """Say that work goes on, and how far it is. Raises ClaimLost, also after the job was cancelled or deleted."""

    async def add(
        self, claim: Claim, segments: Sequence[JobSegment], *, channel: int, checkpoint: Checkpoint, done: float, now: float
    ) -> None:
        """Store what was found, and where ``channel`` can go on if this worker dies. Raises ClaimLost."""

    async def finish(self, claim: Claim, *, now: float, duration: float, warnings: Sequence[JobWarning] = ()) -> Job:
        """The job is done; ``duration``: seconds of audio there were. Raises ClaimLost."""

    async def fail(self, claim: Claim, error: JobError, *, now: float, retry_at: float | None) -> Job:
        """It failed: for good if ``retry_at`` is None, or it is queued again for then. Raises ClaimLost."""

    async def release(self, claim: Claim, *, now: float) -> None:
        """Put it back untouched, as a worker does that ends in good order: the attempt does not count. ClaimLost is ignored."""

    async def cancel(self, job_id: str, *, now: float) -> Job | None:
        """Nobody wants it any more. A job that is over stays as it is."""

    async def retry(self, job_id: str, *, now: float) -> Job | None:
        """Do a failed or cancelled job from its beginning. Others stay as they are. Raises RecordingGone if it is not kept."""

    async def delete(self, job_id: str, *, only_over: bool = False) -> Job | None:
        """Forget the job and what was found; answers what it was. Its recording is the caller's to delete, afterwards.

        ``only_over``: one that waits or runs stays, and the answer is None.
        """

    async def forget_audio(self, job_id: str) -> Job | None:
        """Of a job that is over, keep the text only: answers what it was; None if it is not over or names no recording.

        The recording is the caller's to delete, afterwards.
        """

    async def unnamed(self, keys: Sequence[str]) -> Sequence[str]:
        """Those of ``keys`` that are no recording of any job."""

    async def purge(self) -> None:
        """Let nothing that was deleted stay where it was kept, nor the room that it took. May take a while."""

    async def take_turn(self, chore: str, worker: str, *, now: float, lease: float) -> bool:
        """Whether ``worker`` is to do ``chore``, which nobody else does then until ``lease`` seconds have passed."""

    async def history(self, query: JobQuery) -> JobPage:
        """Jobs as asked for. Raises InvalidOption for a cursor that is none."""

    async def position(self, job_id: str) -> int | None:
        """How many queued jobs are served before this one if nothing changes and none of them has to wait; None unless queued."""

    async def state(self, *, tenant: str | None, now: float) -> QueueState:
        """What the queue has, of ``tenant`` or of all."""

    async def spent(self, tenant: str, *, day: int) -> float:
        """Seconds of audio that jobs of ``tenant`` are charged on ``day``, those that were deleted, too. Kept for some days."""

    async def claim_delivery(self, *, now: float, lease: float) -> Delivery | None:
        """The next job that is over and whose callback is to be told, which nobody else gets for ``lease`` seconds.

        It is due as soon as the job is over, however that came, unless it is deleted; the longest due comes first.
        """

    async def settle_delivery(self, delivery: Delivery, *, told: bool, now: float, retry_at: float | None = None) -> None:
        """The callback was ``told``; or else it is due again at ``retry_at``, or given up where that is None.

        Nothing changes if somebody else has claimed it since, or if the job was retried (then it is due anew when that is over)
        or deleted.
        """

    def changes(self, job_id: str) -> AbstractAsyncContextManager[AsyncIterator[None]]:
        """Something about this job may have changed: one item at once, then one soon after each change. May say so too often."""

    async def close(self) -> None:
        """Free what is held. Calling it again does nothing."""


class Recordings(Protocol):
    """Where the bytes of recordings are: a directory, or an object store."""

    async def put(self, chunks: AsyncIterator[bytes], *, limit: int) -> tuple[str, int, str]:
        """Store what comes, whole or not at all: its new key, size in bytes, and SHA-256 in hexadecimal.

        Raises FrameTooLarge past ``limit`` bytes.
        """

    async def open(self, key: str) -> BinaryIO:
        """The recording, to be read and seeked on any thread, and closed. Raises RecordingGone."""

    def read(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Its bytes from ``start`` up to ``end``, in pieces. Raises RecordingGone."""

    async def delete(self, key: str) -> None:
        """Remove it for good. An unknown one is ignored."""

    def keys(self) -> AsyncIterator[tuple[str, float]]:
        """All keys, and when each was stored, in Unix seconds: those that no job names are left-overs."""

    async def close(self) -> None:
        """Free what is held. Calling it again does nothing."""
