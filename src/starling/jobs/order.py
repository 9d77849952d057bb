"""Who is next: by priority, tenants in turn, the oldest first. Pure.

A tenant has its turn when the tenants that had one less recently have nothing that waits. Turns are counted over all priorities,
and a new tenant comes after all that are known: one with a thousand recordings holds up nobody for longer than one of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from starling.core.jobs import Job
from starling.core.load import Priority

RANK: Final = {Priority.HIGH: 0, Priority.NORMAL: 1, Priority.LOW: 2}
"""The lowest is served first."""


def ranks(priorities: Iterable[Priority]) -> list[int]:
    """Of these, the one that is served first at the front."""
    return sorted(RANK[priority] for priority in set(priorities))


Waiting = Mapping[tuple[int, str], int]
"""How many jobs are queued, by rank and tenant."""


def age(job: Job) -> tuple[float, str]:
    """The lowest is the oldest. No two jobs have the same."""
    return job.created, job.job_id


def position(waiting: Waiting, turns: Sequence[str], *, rank: int, tenant: str, older: int) -> int:
    """How many are served before a job of ``rank`` and ``tenant``, of which ``older`` ones are queued.

    ``turns``: the tenants, who had a turn least recently first.
    """
    before, order = 0, list(turns)
    for better in range(rank):
        served = {name: count for name in order if (count := waiting.get((better, name), 0))}
        before += sum(served.values())
        order = [name for name in order if name not in served] + sorted(served, key=served.__getitem__)  # a stable sort
    ours = order.index(tenant)
    others = ((at, waiting.get((rank, name), 0)) for at, name in enumerate(order) if name != tenant)
    return before + older + sum(min(count, older + (at < ours)) for at, count in others)


def pick(waiting: Iterable[Job], turns: Mapping[str, int]) -> Job | None:
    """The next one of ``waiting``. ``turns``: when each tenant had its last one, by a count."""
    return min(waiting, key=lambda job: (RANK[job.priority], turns[job.tenant], age(job)), default=None)


def pick_left_out(waiting: Iterable[Job], turns: Mapping[str, int], served: Collection[str]) -> Job | None:
    """The next one of a tenant that is not ``served``: here turns go before priorities, so nobody is left out for ever."""
    left = (job for job in waiting if job.tenant not in served)
    return min(left, key=lambda job: (turns[job.tenant], RANK[job.priority], age(job)), default=None)
