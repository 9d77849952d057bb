"""The business log: a line of JSON for each thing that happened to a job, apart from the log of operation.

It says who, when, how much and how it ended. It holds no word of a text, no name of a file and no URL: neither has a place in
a line. Several processes write to one file; who finds it too long puts it aside as ``.1``, what was that as ``.2``, and so on.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from starling.core.jobs import JobStatus
from starling.jobs.life import Step, Verb
from starling.telemetry.logs import get_logger

log = get_logger(__name__)

OWNER_ONLY: Final = 0o600


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is said. ``at``: ISO 8601, UTC. ``audio``, ``waited`` and ``took``: seconds; ``size``: bytes. ``error``: its code."""

    at: str
    event: str
    job_id: str
    trace_id: str
    tenant: str
    status: str = ""
    priority: str
    attempt: int = 0
    worker: str = ""
    size: int = 0
    audio: float | None = None
    waited: float | None = None
    took: float | None = None
    error: str = ""


def line_of(step: Step, now: float) -> Line:
    """``now``: Unix seconds, for steps that do not say when they happened."""
    job = step.job
    first = step.verb is Verb.CLAIM and job.attempts == 1
    failed = step.verb in {Verb.FAIL, Verb.GIVE_UP, Verb.POSTPONE}
    done = step.verb in {Verb.FINISH, Verb.FAIL} and job.started is not None and job.finished is not None
    return Line(
        at=datetime.fromtimestamp(step.at or now, UTC).isoformat(timespec="milliseconds"),
        event=step.verb.value,
        job_id=job.job_id,
        trace_id=job.trace_id,
        tenant=job.tenant,
        status="" if step.verb is Verb.DELETE else job.status.value,
        priority=job.priority.value,
        attempt=job.attempts,
        worker="" if job.status is JobStatus.QUEUED and step.verb is not Verb.EXPIRE else job.worker,
        size=job.recording.size,
        audio=job.recording.duration,
        waited=round(max(0.0, step.at - job.created), 3) if first else None,
        took=round(max(0.0, (job.finished or 0.0) - (job.started or 0.0)), 3) if done else None,
        error=job.error.code if job.error and failed else "",
    )


class Journal:
    """An ``Observer`` that writes lines to ``path``, of which ``files`` of ``max_bytes`` at most are kept."""

    def __init__(self, path: Path, *, max_bytes: int, files: int, wall: Callable[[], float] = time.time) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._files = files
        self._wall = wall
        self._file = -1
        self._broken = False

    def __call__(self, step: Step) -> None:
        line = msgspec.json.encode(line_of(step, self._wall())) + b"\n"
        try:
            self._write(line)
        except OSError as error:
            if not self._broken:  # a full disk: said once, and no reason to lose a job
                log.warning("the log of jobs cannot be written", reason=error.strerror)
            self._broken = True
        else:
            self._broken = False

    def close(self) -> None:
        """Free what is held; another line opens it again."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write(self, line: bytes) -> None:
        if self._file < 0 or not self._is_current():
            self._open()
        size = os.fstat(self._file).st_size
        if size and size + len(line) > self._max_bytes:
            self._rotate()
        os.write(self._file, line)  # in one piece, behind all others: O_APPEND

    def _is_current(self) -> bool:
        """Whether nobody has put it aside."""
        try:
            return os.path.samestat(os.fstat(self._file), self._path.stat())
        except FileNotFoundError:
            return False

    def _open(self) -> None:
        self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)

    def _rotate(self) -> None:
        lock = os.open(self._path.with_name(self._path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._is_current():  # or another process was quicker
                for number in range(self._files - 1, 0, -1):
                    with suppress(FileNotFoundError):
                        self._aside(number - 1).rename(self._aside(number))
                self._path.unlink(missing_ok=True)  # where only one file is kept
            self._open()
        finally:
            os.close(lock)

    def _aside(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path
