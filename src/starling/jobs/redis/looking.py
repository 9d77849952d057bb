"""What changes nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Final

from starling.core.jobs import Job, JobPage, JobQuery, JobStatus, QueueState
from starling.jobs.asking import asked_for, comes_after, page, read_cursor
from starling.jobs.order import RANK, age, position
from starling.jobs.redis.connection import Connection
from starling.jobs.redis.writing import history, unpack_job, waiting

AT_ONCE: Final = 100
"""Jobs that are read at once."""


class Looking:
    """The reading half of a store."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def history(self, query: JobQuery) -> JobPage:
        last = read_cursor(query.cursor)
        lists = [self._newest(history(query.tenant, status), query, last) for status in query.statuses or JobStatus]
        heads = {number: job for number, jobs in enumerate(lists) if (job := await anext(jobs, None)) is not None}
        found: list[Job] = []
        while heads and len(found) <= query.limit:
            number = max(heads, key=lambda each: age(heads[each]))
            job = heads.pop(number)
            if not found or job.job_id != found[-1].job_id:  # it may have moved from one list to another meanwhile
                found.append(job)
            if (following := await anext(lists[number], None)) is not None:
                heads[number] = following
        for jobs in lists:
            await jobs.aclose()
        return page(found, query.limit)

    async def _newest(self, name: str, query: JobQuery, last: tuple[float, str] | None) -> AsyncGenerator[Job, None]:
        """Those of one list that ``query`` asks for, the newest first."""
        until = "+inf" if query.until is None else f"({query.until!r}"
        if last is not None and (query.until is None or last[0] < query.until):
            until = repr(last[0])
        since = "-inf" if query.since is None else repr(query.since)
        at, size = 0, min(AT_ONCE, query.limit + 1)
        while True:
            ids = await self._connection.run("ZREVRANGEBYSCORE", name, until, since, "LIMIT", at, size)
            records = await self._connection.read([("HGET", f"job:{job_id.decode()}", "record") for job_id in ids])
            for job in (unpack_job(record) for record in records if record):
                if asked_for(job, query) and comes_after(job, last):
                    yield job
            if len(ids) < size:
                return
            at, size = at + size, AT_ONCE

    async def position(self, job: Job) -> int | None:
        """Of ``job``, if it is still queued."""
        rank = RANK[job.priority]
        ours = waiting(rank, job.tenant)
        tenants = [name.decode() for name in await self._connection.run("ZRANGE", "turns", 0, -1)]
        pairs = [(better, tenant) for better in range(rank + 1) for tenant in tenants]
        asked = [("ZCARD", waiting(*pair)) for pair in pairs]
        older, *counts = await self._connection.read([("ZRANK", ours, job.job_id), *asked])
        if older is None or job.tenant not in tenants:
            return None
        return position(dict(zip(pairs, counts, strict=True)), tenants, rank=rank, tenant=job.tenant, older=older)

    async def state(self, tenant: str | None, now: float) -> QueueState:
        asked: list[tuple[str | float, ...]] = [("ZCARD", history(tenant, status)) for status in JobStatus]
        asked.append(("ZRANGE", history(tenant, JobStatus.QUEUED), 0, 0, "WITHSCORES"))
        asked.append(("ZRANGE", history(tenant, JobStatus.RUNNING), 0, -1))
        asked.append(("HVALS", "audio") if tenant is None else ("HMGET", "audio", tenant))
        *counts, oldest, running, audio = await self._connection.read(asked)
        leases = await self._connection.read([("HMGET", f"job:{job.decode()}", "until", "record") for job in running])
        alive = {unpack_job(record).worker for until, record in leases if record and float(until or 0) > now}
        return QueueState(
            **{status.value: count for status, count in zip(JobStatus, counts, strict=True)},
            oldest=float(oldest[1]) if oldest else None,
            waiting_audio=sum(int(some or 0) for some in audio) / 1000,
            workers=tuple(sorted(alive)),
        )

    async def unnamed(self, keys: Sequence[str]) -> Sequence[str]:
        named = await self._connection.read([("SISMEMBER", "recordings", key) for key in keys])
        return [key for key, there in zip(keys, named, strict=True) if not there]
