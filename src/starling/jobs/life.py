"""The life of a job: which status follows which, and what becomes of the job on the way. Pure.

::

    queued ── claim ──> running ── finish ──> done
      ^ ^ ^               │ │ │
      │ │ └─── release ───┘ │ ├─── fail, give up ──> failed
      │ └── expire, postpone┘ └─── cancel (also of a queued one) ──> cancelled
      └──────────────── retry (of a failed or cancelled one)

A verb that has no row for a job's status changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from starling.core.errors import RecordingGone
from starling.core.jobs import DAY, Charge, Job, JobError, JobStatus, JobWarning

_Q, _R, _D, _F, _C = JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.DONE, JobStatus.FAILED, JobStatus.CANCELLED


class Verb(StrEnum):
    """What can happen to a job, as the business log says it."""

    SUBMIT = "submitted"
    CLAIM = "claimed"
    FINISH = "done"
    FAIL = "failed"
    POSTPONE = "postponed"
    EXPIRE = "expired"
    GIVE_UP = "given up"
    RELEASE = "released"
    CANCEL = "cancelled"
    RETRY = "retried"
    FORGET_AUDIO = "audio deleted"
    DELETE = "deleted"
    TELL = "callback delivered"
    STOP_TELLING = "callback given up"


NEXT: Final[Mapping[tuple[JobStatus, Verb], JobStatus]] = MappingProxyType(
    {
        (_Q, Verb.CLAIM): _R,
        (_R, Verb.FINISH): _D,
        (_R, Verb.FAIL): _F,
        (_R, Verb.POSTPONE): _Q,
        (_R, Verb.EXPIRE): _Q,
        (_R, Verb.GIVE_UP): _F,
        (_R, Verb.RELEASE): _Q,
        (_Q, Verb.CANCEL): _C,
        (_R, Verb.CANCEL): _C,
        (_F, Verb.RETRY): _Q,
        (_C, Verb.RETRY): _Q,
    }
    | {(status, verb): status for status in (_D, _F, _C) for verb in (Verb.FORGET_AUDIO, Verb.TELL, Verb.STOP_TELLING)}
)
"""The status that follows. Submitting and deleting are the ends of the table: before them and after them there is no job."""


ENDS: Final = frozenset({Verb.FINISH, Verb.FAIL, Verb.GIVE_UP, Verb.CANCEL})
"""After these a job is over."""


@dataclass(frozen=True, slots=True)
class Spent:
    """``audio``: milliseconds, less than 0 where more was expected; ``day``: as in ``Charge``."""

    audio: int
    day: int


@dataclass(frozen=True, slots=True)
class Step:
    """What happened to a job: ``job`` is as it is now, or as it was if it was deleted. ``at``: Unix seconds, 0 if nobody said.

    ``spent``: what that adds to the account of its tenant, which is stored in the same step.
    """

    verb: Verb
    job: Job
    at: float = 0.0
    spent: Spent | None = None

    @property
    def due(self) -> float | None:
        """When its callback is to be told of this; None if it has none, or this is not the end."""
        return self.at if self.verb in ENDS and self.job.options.callback is not None else None


Observer: TypeAlias = Callable[[Step], None]
"""Is told what happened to a job once it is stored, by the process that did it, on its event loop."""


def submit(job: Job) -> Step:
    """It is new, and charged what is expected of it."""
    return Step(Verb.SUBMIT, job, job.created, spent=_more(None, job.charge))


def delete(job: Job) -> Step:
    """It is forgotten. One that is not over is charged what was transcribed."""
    return Step(Verb.DELETE, job, spent=None if job.status.over else _more(job.charge, _settled(job.charge, job.done)))


def _settled(charge: Charge | None, audio: float) -> Charge | None:
    return None if charge is None else replace(charge, audio=audio)


def _more(before: Charge | None, after: Charge | None) -> Spent | None:
    """What it takes to come to ``after``."""
    if after is None:
        return None
    audio = _milliseconds(after.audio) - (0 if before is None else _milliseconds(before.audio))
    return Spent(audio, after.day) if audio else None


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)


def _over(step: Step, audio: float) -> Step:
    """``step`` ends a job, of which ``audio`` seconds were transcribed."""
    settled = _settled(step.job.charge, audio)
    return replace(step, job=replace(step.job, charge=settled), spent=_more(step.job.charge, settled))


def claim(job: Job, worker: str, *, now: float) -> Step:
    """Begin an attempt."""
    started = replace(
        job, status=NEXT[job.status, Verb.CLAIM], attempts=job.attempts + 1, worker=worker, started=now, not_before=0.0
    )
    return Step(Verb.CLAIM, started, now)


def finish(job: Job, *, now: float, duration: float, warnings: Sequence[JobWarning] = ()) -> Step:
    """``duration``: seconds of audio there were."""
    recording = replace(job.recording, duration=duration)
    done = replace(
        job,
        status=NEXT[job.status, Verb.FINISH],
        finished=now,
        done=duration,
        recording=recording,
        error=None,
        warnings=tuple(warnings),
        not_before=0.0,
    )
    return _over(Step(Verb.FINISH, done, now), duration)


def fail(job: Job, error: JobError, *, now: float, retry_at: float | None, max_attempts: int) -> Step:
    """For good if ``retry_at`` is None or ``max_attempts`` are used up."""
    if retry_at is not None and job.attempts < max_attempts:
        waiting = replace(job, status=NEXT[job.status, Verb.POSTPONE], not_before=retry_at, error=error)
        return Step(Verb.POSTPONE, waiting, now)
    failed = replace(job, status=NEXT[job.status, Verb.FAIL], finished=now, error=replace(error, final=True))
    return _over(Step(Verb.FAIL, failed, now), job.done)


def expire(job: Job, *, now: float, max_attempts: int) -> Step:
    """Its lease ran out: its worker is dead, or might as well be."""
    if job.attempts < max_attempts:
        return Step(Verb.EXPIRE, replace(job, status=NEXT[job.status, Verb.EXPIRE]), now)
    error = JobError(
        code="workers_lost",
        message=f"{job.attempts} transcribers in a row ended, or stood still, while they had this recording: it may be what ends "
        "them. Look at their logs, and at the file, before it is retried",
        final=True,
    )
    return _over(
        Step(Verb.GIVE_UP, replace(job, status=NEXT[job.status, Verb.GIVE_UP], finished=now, error=error), now), job.done
    )


def release(job: Job, *, now: float) -> Step:
    """As if it had not been claimed; what was found stays."""
    return Step(Verb.RELEASE, replace(job, status=NEXT[job.status, Verb.RELEASE], attempts=job.attempts - 1), now)


def cancel(job: Job, *, now: float) -> Step | None:
    """None for a job that is over."""
    status = NEXT.get((job.status, Verb.CANCEL))
    if status is None:
        return None
    return _over(Step(Verb.CANCEL, replace(job, status=status, finished=now, not_before=0.0), now), job.done)


def retry(job: Job, *, now: float) -> Step | None:
    """None for a job that neither failed nor was cancelled. Raises RecordingGone."""
    status = NEXT.get((job.status, Verb.RETRY))
    if status is None:
        return None
    if not job.recording.key:
        raise RecordingGone("the recording of this job is not kept any more: submit it again instead")
    charge = None if job.charge is None else replace(job.charge, audio=job.recording.expected, day=math.floor(now / DAY))
    fresh = replace(
        job,
        status=status,
        attempts=0,
        not_before=0.0,
        started=None,
        finished=None,
        done=0.0,
        error=None,
        charge=charge,
        worker="",
    )
    return Step(Verb.RETRY, fresh, now, spent=_more(None, charge))


def forget_audio(job: Job) -> Step | None:
    """None for a job that is not over, or names no recording."""
    status = NEXT.get((job.status, Verb.FORGET_AUDIO))
    if status is None or not job.recording.key:
        return None
    return Step(Verb.FORGET_AUDIO, replace(job, recording=replace(job.recording, key="")))


def settle(job: Job, *, told: bool, now: float, retry_at: float | None) -> Step | None:
    """What is to be said of its callback; None if it is due again."""
    if told:
        return Step(Verb.TELL, job, now)
    return Step(Verb.STOP_TELLING, job, now) if retry_at is None else None


def progress(job: Job, done: float) -> tuple[Job, Spent | None]:
    """``done`` seconds of it are transcribed; it never goes back, for nobody likes to see that.

    What is done beyond what was expected is charged at once.
    """
    done = max(job.done, done)
    charge = _settled(job.charge, max(done, 0.0 if job.charge is None else job.charge.audio))
    return replace(job, done=done, charge=charge), _more(job.charge, charge)


LOST: Final = "this claim is old: the job was given to another worker, or nobody wants it any more; stop, and claim the next one"
"""The message of ClaimLost."""
