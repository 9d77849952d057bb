"""A process that submits jobs and works on them until it is killed: ``python -m jobs.crash_worker STORE DIRECTORY NAME [drain]``.

In DIRECTORY it writes what it was promised: to ``submitted`` each job that the store took, to ``finished`` each that it finished.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from contracts.job_store_contract import checkpoint, job, segment
from starling.core.errors import ClaimLost
from starling.core.job_store import JobStore
from starling.core.jobs import Claim
from starling.jobs.life import Observer, Step, Verb
from starling.jobs.options import StoreOptions
from starling.jobs.redis.store import RedisJobStore
from starling.jobs.sqlite.store import SqliteJobStore

SEGMENTS = 3
LEASE = 0.3
OPTIONS = StoreOptions(max_attempts=1_000_000, max_queued=1_000_000)


def open_store(place: str, observe: Observer | None = None) -> JobStore:
    """A file, or a Redis by its URL."""
    if ":" in place:
        return RedisJobStore(place, OPTIONS, prefix="crash:", observe=observe)
    return SqliteJobStore(Path(place), OPTIONS, observe=observe)


async def main(place: str, directory: Path, name: str, *, drain: bool) -> None:
    submitted, finished = (
        os.open(directory / what, os.O_WRONLY | os.O_APPEND | os.O_CREAT) for what in ("submitted", "finished")
    )

    def observe(step: Step) -> None:
        if step.verb is Verb.FINISH:
            os.write(finished, f"{step.job.job_id}\n".encode())

    store = open_store(place, observe)
    number = 0
    while True:
        if not drain:
            number += 1
            new = await store.submit(replace(job(f"{name}-{number}"), created=time.time()), idempotency_key=f"{name}-{number}")
            os.write(submitted, f"{new.job_id}\n".encode())
        claim = await store.claim(name, now=time.time(), lease=LEASE)
        if claim is not None:
            await work(store, claim)
        elif drain:
            state = await store.state(tenant=None, now=time.time())
            if state.queued + state.running == 0:
                break
            await asyncio.sleep(0.02)
    await store.close()


async def work(store: JobStore, claim: Claim) -> None:
    """Find what is not found yet, one segment at a time."""
    known = claim.checkpoints[0] if claim.checkpoints else None
    try:
        for number in range(known.next_segment if known else 0, SEGMENTS):
            found = [segment(number, text=f"{claim.job.job_id} {number}")]
            at = checkpoint((number + 1) * 1000, number + 1)
            await store.add(claim, found, channel=0, checkpoint=at, done=number + 1.0, now=time.time())
            claim = await store.heartbeat(claim, done=number + 1.0, now=time.time(), lease=LEASE)
        await store.finish(claim, now=time.time(), duration=float(SEGMENTS))
    except ClaimLost:
        return


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], drain=sys.argv[4:] == ["drain"]))
