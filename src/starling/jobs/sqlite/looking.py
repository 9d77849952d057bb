"""What changes nothing. On the thread of the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from starling.core.jobs import Job, JobPage, JobQuery, JobSegment, JobStatus, QueueState
from starling.jobs.asking import folded, page, read_cursor
from starling.jobs.order import RANK, age, position
from starling.jobs.sqlite.database import Database
from starling.jobs.sqlite.rows import read_job, read_segments, unpack_job

AT_ONCE: Final = 500
"""Values of one statement at most."""


class Looking:
    """The reading half of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, job_id: str) -> Job | None:
        kept = read_job(self._database, job_id)
        return kept.job if kept else None

    def segments(self, job_id: str, after: int) -> Sequence[JobSegment]:
        return read_segments(self._database, job_id, after)

    def history(self, query: JobQuery) -> JobPage:
        conditions: list[str] = []
        values: list[Any] = []

        def where(condition: str, *given: Any) -> None:
            conditions.append(condition)
            values.extend(given)

        if query.tenant is not None:
            where("tenant = ?", query.tenant)
        if query.statuses:
            where(f"status IN ({_marks(query.statuses)})", *(status.value for status in query.statuses))
        if query.search:
            where("instr(name, ?) > 0", folded(query.search))
        if query.since is not None:
            where("created >= ?", query.since)
        if query.until is not None:
            where("created < ?", query.until)
        if (last := read_cursor(query.cursor)) is not None:
            where("(created, job_id) < (?, ?)", *last)
        rows = self._database.run(
            f"SELECT record FROM jobs WHERE {' AND '.join(conditions) or 'TRUE'} ORDER BY created DESC, job_id DESC LIMIT ?",  # noqa: S608 - conditions are ours
            (*values, query.limit + 1),
        )
        return page([unpack_job(record) for (record,) in rows], query.limit)

    def position(self, job_id: str) -> int | None:
        with self._database.reading():
            kept = read_job(self._database, job_id)
            if kept is None or kept.job.status is not JobStatus.QUEUED:
                return None
            job, rank = kept.job, RANK[kept.job.priority]
            waiting = self._database.run("SELECT rank, tenant, COUNT(*) FROM jobs WHERE status = 'queued' GROUP BY tenant, rank")
            [(older,)] = self._database.run(
                "SELECT COUNT(*) FROM jobs WHERE status = 'queued' AND tenant = ? AND rank = ? AND (created, job_id) < (?, ?)",
                (job.tenant, rank, *age(job)),
            )
            turns = self._database.run("SELECT tenant FROM turns ORDER BY served")
        counts = {(better, tenant): count for better, tenant, count in waiting}
        return position(counts, [tenant for (tenant,) in turns], rank=rank, tenant=job.tenant, older=older)

    def state(self, tenant: str | None, now: float) -> QueueState:
        whose, value = ("TRUE", ()) if tenant is None else ("tenant = ?", (tenant,))
        with self._database.reading():
            counts = dict(self._database.run(f"SELECT status, COUNT(*) FROM jobs WHERE {whose} GROUP BY status", value))  # noqa: S608
            [(oldest, waiting)] = self._database.run(
                f"SELECT MIN(created), TOTAL(duration) FROM jobs WHERE status = 'queued' AND {whose}",  # noqa: S608
                value,
            )
            workers = self._database.run(
                f"SELECT DISTINCT worker FROM jobs WHERE status = 'running' AND until > ? AND {whose} ORDER BY worker",  # noqa: S608
                (now, *value),
            )
        return QueueState(
            **{status.value: counts.get(status.value, 0) for status in JobStatus},
            oldest=oldest,
            waiting_audio=waiting,
            workers=tuple(worker for (worker,) in workers),
        )

    def spent(self, tenant: str, day: int) -> float:
        rows = self._database.run("SELECT audio FROM accounts WHERE day = ? AND tenant = ?", (day, tenant))
        return int(rows[0][0]) / 1000 if rows else 0.0

    def unnamed(self, keys: Sequence[str]) -> Sequence[str]:
        named: set[str] = set()
        for start in range(0, len(keys), AT_ONCE):
            some = tuple(keys[start : start + AT_ONCE])
            rows = self._database.run(f"SELECT recording FROM jobs WHERE recording <> '' AND recording IN ({_marks(some)})", some)  # noqa: S608
            named.update(key for (key,) in rows)
        return [key for key in keys if key not in named]

    def revisions(self, job_ids: Sequence[str]) -> dict[str, int]:
        """How often each of these jobs was changed; those that are gone are missing."""
        found: dict[str, int] = {}
        for start in range(0, len(job_ids), AT_ONCE):
            some = tuple(job_ids[start : start + AT_ONCE])
            found |= dict(self._database.run(f"SELECT job_id, revision FROM jobs WHERE job_id IN ({_marks(some)})", some))  # noqa: S608
        return found


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
