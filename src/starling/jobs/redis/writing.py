"""What is kept where, and what a change of a job changes there. Pure.

::

    job:JOB             hash    the job (record), its revision, the fence and the end of its lease (until), its entry among the
                                running ones, its idempotency key (key) and fingerprint, deliveries and attempt of its callback,
                                and which change was the last (stamp)
    history:T:STATUS    zset    jobs of tenant T, or of all (T empty), by the time of creation
    waiting:RANK:T      zset    those that are queued, likewise; delayed: of them those that must wait, and until when
    turns               zset    tenants, by when they had their last turn; turn counts them
    running             stream  see ``scripts``
    audio               hash    milliseconds of audio that wait, by tenant
    recordings          set     keys of recordings that are kept
    due                 zset    jobs whose callback is to be told, by when
    submissions:T       hash    jobs by idempotency key
    segments:JOB        list    what was found; found:JOB: the set of their channels and ids
    checkpoints:JOB     hash    by channel
    chore:CHORE         hash    who has it, and until when
    spent:DAY           hash    milliseconds of audio that tenants are charged, for some days
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import msgspec

from starling.core.jobs import DAY, Job, JobSegment, JobStatus
from starling.core.records import Checkpoint
from starling.jobs.life import ENDS, Spent, Step, Verb
from starling.jobs.options import KEPT_DAYS
from starling.jobs.order import RANK
from starling.jobs.redis.scripts import LONG_AGO

Command: TypeAlias = tuple[str, ...]
"""Text throughout: Redis knows no other kind of string in a packed script argument."""

_JOB: Final = msgspec.json.Decoder(Job)
_SEGMENT: Final = msgspec.json.Decoder(JobSegment)
_CHECKPOINT: Final = msgspec.json.Decoder(Checkpoint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A job as it is kept."""

    job: Job
    revision: str
    fence: int = 0
    until: float = 0.0
    key: str = ""
    fingerprint: str = ""
    due: bool = False
    attempt: int = 0
    deliveries: int = 0


FIELDS: Final = ("record", "revision", "fence", "until", "key", "fingerprint", "due", "attempt", "deliveries")
"""What ``unpack_kept`` wants to know."""


def unpack_kept(values: Sequence[bytes | None]) -> Kept | None:
    """From FIELDS; None where there is no job."""
    record, revision, fence, until, key, fingerprint, due, attempt, deliveries = (value or b"" for value in values)
    if not record:
        return None
    return Kept(
        job=_JOB.decode(record),
        revision=revision.decode(),
        fence=int(fence or 0),
        until=float(until or 0),
        key=key.decode(),
        fingerprint=fingerprint.decode(),
        due=bool(due),
        attempt=int(attempt or 0),
        deliveries=int(deliveries or 0),
    )


def unpack_job(record: bytes) -> Job:
    """What ``record`` holds."""
    return _JOB.decode(record)


def unpack_segment(record: bytes) -> JobSegment:
    """What is in ``segments:JOB``."""
    return _SEGMENT.decode(record)


def unpack_checkpoints(values: dict[bytes, bytes]) -> tuple[Checkpoint | None, ...]:
    """By channel."""
    found = {int(channel): _CHECKPOINT.decode(record) for channel, record in values.items()}
    return tuple(found.get(channel) for channel in range(max(found, default=-1) + 1))


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a job: ``after`` is None if it goes. ``steps``: what else is done; ``told``: what is said of it."""

    after: Job | None
    steps: tuple[Command, ...] = ()
    conditions: tuple[Command, ...] = ()
    told: Step | None = field(default=None)


def by_step(step: Step, *steps: Command, conditions: tuple[Command, ...] = ()) -> Change:
    """The change that ``step`` is; its callback is due at an end, and not any more once it is retried."""
    job_id = step.job.job_id
    if step.due is not None:
        steps += due_at(job_id, step.due, attempt=0)
    elif step.verb in {*ENDS, Verb.RETRY}:
        steps += due_at(job_id, None, attempt=0)
    return Change(step.job, (*steps, *spending(step.job.tenant, step.spent)), conditions, told=step)


def spending(tenant: str, spent: Spent | None) -> tuple[Command, ...]:
    """What ``spent`` adds to the account of ``tenant``."""
    if spent is None:
        return ()
    key = f"spent:{spent.day}"
    return ("HINCRBY", key, tenant, str(spent.audio)), ("EXPIRE", key, str(KEPT_DAYS * DAY))


def due_at(job_id: str, due: float | None, *, attempt: int) -> tuple[Command, ...]:
    """The callback is to be told then, or not at all."""
    key = f"job:{job_id}"
    if due is None:
        return ("ZREM", "due", job_id), ("HDEL", key, "due"), ("HSET", key, "attempt", str(attempt))
    return ("ZADD", "due", repr(due), job_id), ("HSET", key, "due", "1", "attempt", str(attempt))


def deadline(until: float) -> str:
    """When an entry is said to have been delivered, whose lease ends at ``until``."""
    return str(max(0, round(until * 1000) - LONG_AGO))


def stored(before: Job | None, after: Job | None) -> list[Command]:
    """What makes ``after`` of ``before``, either of which may be missing: the record, and every place where the job is listed."""
    commands: list[Command] = []
    if before is not None and (after is None or _places(before) != _places(after)):
        if before.status is JobStatus.RUNNING and (after is None or after.status is not JobStatus.RUNNING):
            commands.append(("LEAVE",))
        commands += [("ZREM", key, before.job_id) for key in _places(before)]
    if after is not None:
        commands += [("ZADD", key, repr(score), after.job_id) for key, score in _places(after).items()]
        commands.append(("HSET", f"job:{after.job_id}", "record", msgspec.json.encode(after).decode()))
    commands += _recordings(before, after)
    if moved := _audio(after) - _audio(before):
        commands.append(("HINCRBY", "audio", (after or before or _nobody()).tenant, str(moved)))
    if after is None and before is not None:
        commands += [("DEL", f"{kind}:{before.job_id}") for kind in ("job", "segments", "found", "checkpoints")]
        commands.append(("ZREM", "due", before.job_id))
    return commands


def _places(job: Job) -> dict[str, float]:
    """The sorted sets it is in, and where."""
    places = {history(tenant, job.status): job.created for tenant in ("", job.tenant)}
    if job.status is JobStatus.QUEUED:
        places[waiting(RANK[job.priority], job.tenant)] = job.created
        if job.not_before:
            places["delayed"] = job.not_before
    return places


def _recordings(before: Job | None, after: Job | None) -> list[Command]:
    old, new = (job.recording.key if job else "" for job in (before, after))
    commands: list[Command] = []
    if old and old != new:
        commands.append(("SREM", "recordings", old))
    if new and old != new:
        commands.append(("SADD", "recordings", new))
    return commands


def _audio(job: Job | None) -> int:
    """Milliseconds that wait."""
    return round(1000 * (job.recording.duration or 0.0)) if job and job.status is JobStatus.QUEUED else 0


def _nobody() -> Job:
    raise AssertionError("a change has a job before or after it")


def history(tenant: str | None, status: JobStatus) -> str:
    """The key of those jobs; None or '' is everybody's."""
    return f"history:{tenant or ''}:{status.value}"


def waiting(rank: int, tenant: str) -> str:
    """The key of those that are queued."""
    return f"waiting:{rank}:{tenant}"
