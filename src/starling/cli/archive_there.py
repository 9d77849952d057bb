"""Jobs at a server, over its API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from starling.cli.archive import Deed, Record, Search
from starling.cli.live import Credentials
from starling.client.jobs import Jobs
from starling.client.task import Queue, Task
from starling.core.errors import NotFound

PAGE: Final = 200
"""Jobs that a server tells of at once."""


class ServedJobs:
    """The ``Archive`` of a server: the jobs that an API key may see."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    async def history(self, query: Search) -> list[Task]:
        """See ``Archive``."""
        asked: dict[str, str | int] = {"search": query.search}
        if query.status is not None:
            asked["status"] = query.status.value
        if query.tenant is not None:
            asked["tenant"] = query.tenant
        found: list[Task] = []
        while True:
            page = await self._jobs.history(**asked, limit=min(PAGE, query.limit - len(found)))
            found += page.tasks
            if not page.cursor or not page.tasks or len(found) >= query.limit:
                return found[: query.limit]
            asked["cursor"] = page.cursor

    async def queue(self, tenant: str | None) -> Queue:  # noqa: ARG002 - a server goes by the key
        """See ``Archive``."""
        return await self._jobs.queue()

    async def get(self, job_id: str) -> Record:
        """See ``Archive``."""
        return Record(await self._jobs.get(_checked(job_id)))

    async def do(self, deed: Deed, job_id: str) -> None:
        """See ``Archive``."""
        match deed:
            case Deed.RETRY:
                await self._jobs.retry(_checked(job_id))
            case Deed.CANCEL:
                await self._jobs.cancel(_checked(job_id))
            case Deed.DELETE:
                await self._jobs.delete(_checked(job_id))


@asynccontextmanager
async def served_jobs(url: str, credentials: Credentials) -> AsyncIterator[ServedJobs]:
    """Those of the server at ``url``."""
    async with Jobs(url, api_key=credentials.api_key, ca=credentials.ca) as jobs:
        yield ServedJobs(jobs)


def _checked(job_id: str) -> str:
    """As part of a path. Raises NotFound for what can be no id."""
    if not (job_id.isascii() and job_id.isalnum()):
        raise NotFound(f"expected the id of a job, got {job_id!r}: `starling jobs list --server URL` shows them")
    return job_id
