"""Requests that wait for the text of their own recording: an ordinary job, which nobody works on once its client has left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

from starlette.requests import Request

from starling.core.errors import ClientError, NotFound, Overloaded, ShuttingDown, StarlingError
from starling.core.jobs import Job, JobSegment, JobStatus
from starling.gateway.recordings.desk import Desk, Step
from starling.protocols.errors import kind_of

LATER: Final = 30.0
"""Seconds after which who waited in vain may try again."""


GOODBYE: Final = "the server is shutting down; send the recording to another one, or again later"


class ClientLeft(ClientError):
    """Nobody waits for the answer any more."""

    code = "client_left"
    http_status = 499  # as nginx has it; nobody sees it


async def outcome(desk: Desk, job: Job, request: Request) -> tuple[Job, Sequence[JobSegment]]:
    """Wait until ``job`` is done: the job as it is then, and what was found.

    It is cancelled if the client of ``request`` leaves, the server drains, or ``wait_timeout`` passes. Raises ClientLeft,
    ShuttingDown, Overloaded, and what the job failed with.
    """
    waiting = asyncio.ensure_future(_to_the_end(desk, job.job_id))
    leaving = asyncio.ensure_future(left(request))
    draining = asyncio.ensure_future(desk.drained.wait())
    tasks = (waiting, leaving, draining)
    try:
        await asyncio.wait(tasks, timeout=desk.options.wait_timeout, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return waiting.result()
        if leaving.done():
            raise ClientLeft("the client left before its text was there")
        if draining.done():
            raise ShuttingDown(GOODBYE)
        raise too_slow(desk)
    finally:
        unfinished = not waiting.done()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        if unfinished:
            await desk.cancel(job)


async def steps(desk: Desk, job: Job) -> AsyncGenerator[Step]:
    """The same as it goes on. It is cancelled if this is closed before its end."""
    over = False
    try:
        async with asyncio.timeout(desk.options.wait_timeout), aclosing(_until_drained(desk, job)) as found:
            async for step in found:
                over = step.job.status.over
                if over:
                    check(step.job)
                yield step
        if not over:
            raise NotFound("the job was deleted")
    except TimeoutError:
        raise too_slow(desk) from None
    finally:
        if not over:
            await asyncio.shield(desk.cancel(job))


async def _until_drained(desk: Desk, job: Job) -> AsyncGenerator[Step]:
    """The steps of ``job``. Raises ShuttingDown as soon as the server drains."""
    draining = asyncio.ensure_future(desk.drained.wait())
    try:
        async with aclosing(desk.follow(job.job_id)) as found:
            while True:
                upcoming = asyncio.ensure_future(_next(found))
                try:
                    await asyncio.wait((upcoming, draining), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    if not upcoming.done():
                        upcoming.cancel()
                        await asyncio.wait([upcoming])
                if upcoming.cancelled():
                    raise ShuttingDown(GOODBYE)
                if (step := upcoming.result()) is None:
                    return
                yield step
    finally:
        draining.cancel()


async def _next(found: AsyncGenerator[Step]) -> Step | None:
    async for step in found:
        return step
    return None


def check(job: Job) -> None:
    """Raises what ``job`` failed with."""
    if job.status is JobStatus.CANCELLED:
        raise NotFound("the job was cancelled by somebody else")
    if job.status is JobStatus.FAILED and job.error is not None:
        kind = kind_of(job.error.code)
        if issubclass(kind, Overloaded):
            raise kind(job.error.message, gate="tenant", retry_after=LATER)
        raise kind(job.error.message)


def too_slow(desk: Desk) -> StarlingError:
    """Who waited for too long may try again, or hand it in and come back for it."""
    return Overloaded(
        f"the text was not there within {desk.options.wait_timeout:g} s: try again later, or use /api/v1/asr/submit, which does "
        "not wait",
        gate="engine",
        retry_after=LATER,
    )


async def left(request: Request) -> None:
    """Until the client of ``request``, whose body was read, has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _to_the_end(desk: Desk, job_id: str) -> tuple[Job, Sequence[JobSegment]]:
    found: list[JobSegment] = []
    job: Job | None = None
    async with aclosing(desk.follow(job_id)) as all_steps:
        async for step in all_steps:
            job = step.job
            found += step.segments
    if job is None or not job.status.over:
        raise NotFound("the job was deleted")
    check(job)
    return job, found
