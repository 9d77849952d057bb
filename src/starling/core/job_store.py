"""The seams that keep recorded audio: jobs with what was found of them, and the bytes of recordings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import BinaryIO, Protocol

from starling.core.jobs import Claim, Delivery, Job, JobError, JobPage, JobQuery, JobSegment, JobWarning, QueueState
from starling.core.load import Priority
from starling.core.records import Checkpoint


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
        self,
        worker: str,
        *,
        now: float,
        lease: float,
        priorities: Collection[Priority] = tuple(Priority),
        left_out: float | None = None,
    ) -> Claim | None:
        """Start work on the next job: by priority, tenants in turn, then the oldest; one whose lease ran out counts as queued.

        One that was claimed too often becomes failed (a dead letter) instead. Jobs of other ``priorities`` are left to others.
        ``left_out``: only of tenants of whom nothing is at work, jobs that were submitted by then (Unix seconds): those tenants
        in turn, of each by priority.
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
