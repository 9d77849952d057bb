"""How a job is changed: look at it, decide what becomes of it, and have it done if it is still what it was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from starling.core.errors import ClaimLost, StoreUnavailable
from starling.core.jobs import Claim, Job
from starling.jobs import life
from starling.jobs.life import Step
from starling.jobs.redis.connection import Connection
from starling.jobs.redis.scripts import DONE
from starling.jobs.redis.writing import FIELDS, Change, Command, Kept, stored, unpack_kept

CROWDED: Final = 1000
"""How often a step is tried that others came before."""


class Changing:
    """``tell`` hears of each step that was done, on this event loop."""

    def __init__(self, connection: Connection, tell: Callable[[Step], None]) -> None:
        self._connection = connection
        self._tell = tell
        self._sending: set[asyncio.Task[int]] = set()

    @property
    def under_way(self) -> int:
        """Steps that were sent, and not answered yet."""
        return len(self._sending)

    async def kept(self, job_id: str) -> Kept | None:
        """The job as it is."""
        return unpack_kept(await self._connection.run("HMGET", f"job:{job_id}", *FIELDS))

    async def of_claim(self, claim: Claim, decide: Callable[[Kept], Change]) -> Job:
        """Change the job of ``claim``. Raises ClaimLost, as ``decide`` does."""
        job = await self.of(claim.job.job_id, decide)
        if job is None:
            raise ClaimLost(life.LOST)
        return job

    async def of(
        self, job_id: str, decide: Callable[[Kept], Change | None], *, full: Callable[[], None] | None = None
    ) -> Job | None:
        """Have done what ``decide`` says of the job as it is; what it is then. ``full`` says which other condition fails."""
        for _ in range(CROWDED):
            kept = await self.kept(job_id)
            if kept is None:
                return None
            change = decide(kept)
            if change is None:
                return kept.job
            if await self.commit(kept, change, full=full):
                return change.after
        raise crowded()

    async def commit(self, kept: Kept, change: Change, *, full: Callable[[], None] | None = None) -> bool:
        """Whether the job still was what it was. Tells what happened."""
        job_id = kept.job.job_id
        conditions = (("is", f"job:{job_id}", "revision", kept.revision), *change.conditions)
        failed = await self.send(job_id, conditions, (*stored(kept.job, change.after), *change.steps), change.told)
        if failed > 1 and full is not None:
            full()
        return failed == DONE

    async def send(self, job_id: str, conditions: Sequence[Command], steps: Sequence[Command], told: Step | None) -> int:
        """Commit it, and tell what happened, whether or not anybody still waits for the answer. See COMMIT."""

        async def send() -> int:
            failed = await self._connection.commit(job_id, conditions, steps)
            if failed == DONE and told is not None:
                self._tell(told)
            return failed

        sending = asyncio.create_task(send(), name="commit of a job")
        self._sending.add(sending)
        sending.add_done_callback(self._sent)
        return await asyncio.shield(sending)

    def _sent(self, sending: asyncio.Task[int]) -> None:
        self._sending.discard(sending)
        if not sending.cancelled():
            sending.exception()  # whoever asked has it, or has left

    async def close(self) -> None:
        """Wait for what is under way."""
        if self._sending:
            await asyncio.wait(self._sending)


def crowded() -> StoreUnavailable:
    """What is to be raised after CROWDED attempts."""
    return StoreUnavailable("too many others change the same jobs at the same time: try again")
