"""Where jobs are looked up and what is done to them, whoever keeps them: the port of ``starling jobs``."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from starling.client.task import Queue, Task
from starling.core.jobs import JobStatus


class Deed(StrEnum):
    """What can be done to a job, in the past tense."""

    RETRY = "queued again"
    CANCEL = "cancelled"
    DELETE = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Which jobs. ``tenant``: None for all that may be seen; ``limit``: how many at most."""

    tenant: str | None = None
    status: JobStatus | None = None
    search: str = ""
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Record:
    """A job, with its text as far as its keeper shows it, and what else is known there."""

    task: Task
    facts: dict[str, str] = field(default_factory=dict)


class Archive(Protocol):
    """Keeps jobs. Every method raises what of ``core.errors`` says why it could not: NotFound for a job that there is not."""

    async def history(self, query: Search) -> list[Task]:
        """Jobs without their texts, the newest first."""
        ...

    async def queue(self, tenant: str | None) -> Queue:
        """What waits; of ``tenant`` only, where the keeper can tell."""
        ...

    async def get(self, job_id: str) -> Record:
        """All about one job."""
        ...

    async def do(self, deed: Deed, job_id: str) -> None:
        """Raises InvalidOption or Conflict for a job that is not as it must be."""
        ...
