"""Jobs as rows, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from starling.core.jobs import Job, JobSegment, JobStatus
from starling.core.records import Checkpoint
from starling.jobs.asking import folded
from starling.jobs.order import RANK
from starling.jobs.sqlite.database import Database

_WRITE: Final = """
    INSERT INTO jobs (job_id, tenant, status, rank, created, not_before, worker, duration, name, recording, record)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
    ON CONFLICT (job_id) DO UPDATE SET status = ?3, rank = ?4, not_before = ?6, worker = ?7, duration = ?8, name = ?9,
    recording = ?10, record = ?11, revision = revision + 1
"""

_JOB: Final = msgspec.json.Decoder(Job)
_SEGMENT: Final = msgspec.json.Decoder(JobSegment)
_CHECKPOINT: Final = msgspec.json.Decoder(Checkpoint)


@dataclass(frozen=True, slots=True)
class Kept:
    """A job, the fence of its last claim, and the end of that one's lease."""

    job: Job
    fence: int
    until: float


def write_job(database: Database, job: Job) -> Job:
    """Add it, or put it in the place of what it was."""
    record = msgspec.json.encode(job)
    columns: tuple[Any, ...] = (job.job_id, job.tenant, job.status.value, RANK[job.priority], job.created, job.not_before)
    columns += (job.worker, job.recording.duration, folded(job.recording.name), job.recording.key, record)
    database.run(_WRITE, columns)
    return job


def read_job(database: Database, job_id: str) -> Kept | None:
    """The one of that id, if there is one."""
    rows = database.run("SELECT record, fence, until FROM jobs WHERE job_id = ?", (job_id,))
    return Kept(unpack_job(rows[0][0]), *rows[0][1:]) if rows else None


def unpack_job(record: bytes) -> Job:
    """What ``jobs.record`` holds."""
    return _JOB.decode(record)


def write_segments(database: Database, job_id: str, segments: list[JobSegment]) -> None:
    """Those that are known already stay as they are."""
    rows = [(job_id, segment.channel, segment.transcript.segment_id, msgspec.json.encode(segment)) for segment in segments]
    database.run_many(
        "INSERT INTO segments (job_id, channel, segment_id, record) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", rows
    )


def read_segments(database: Database, job_id: str, after: int) -> list[JobSegment]:
    """In the order of finding."""
    rows = database.run("SELECT record FROM segments WHERE job_id = ? ORDER BY ordinal LIMIT -1 OFFSET ?", (job_id, after))
    return [_SEGMENT.decode(record) for (record,) in rows]


def write_checkpoint(database: Database, job_id: str, channel: int, checkpoint: Checkpoint) -> None:
    """Put it in the place of the one before."""
    database.run("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?)", (job_id, channel, msgspec.json.encode(checkpoint)))


def read_checkpoints(database: Database, job_id: str) -> tuple[Checkpoint | None, ...]:
    """By channel."""
    rows = database.run("SELECT channel, record FROM checkpoints WHERE job_id = ?", (job_id,))
    found = {channel: _CHECKPOINT.decode(record) for channel, record in rows}
    return tuple(found.get(channel) for channel in range(max(found, default=-1) + 1))


def is_running(kept: Kept | None, fence: int) -> bool:
    """Whether the claim with that fence is the one that holds."""
    return kept is not None and kept.job.status is JobStatus.RUNNING and kept.fence == fence
