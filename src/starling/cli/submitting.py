"""Handing recordings in to a server, which keeps them as jobs."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import typer

from starling.cli.live import Credentials
from starling.cli.recorded import STANDARD_INPUT, seekable
from starling.cli.report import complain
from starling.cli.transcribing import failure
from starling.client.jobs import Jobs
from starling.client.task import JobOptions, Submitted
from starling.core.errors import Overloaded, StarlingError


def submit_all(sources: Sequence[str], options: JobOptions, *, url: str, credentials: Credentials, as_json: bool) -> int:
    """Hand in each of ``sources``, and tell its job on stdout. How many were refused, after saying why."""

    async def work() -> int:
        failed = 0
        async with Jobs(url, api_key=credentials.api_key, ca=credentials.ca) as server:
            for one in sources:
                try:
                    job = await handed_in(server, one, options, uuid.uuid4().hex)
                except (StarlingError, OSError) as error:
                    complain(failure(one, error, debug=False))
                    failed += 1
                else:
                    typer.echo(msgspec.json.encode(job).decode() if as_json else job.task_id)
        return failed

    return asyncio.run(work())


def called(name: str) -> str:
    """What a recording of the command line is called at a server."""
    return "stdin" if name == STANDARD_INPUT else Path(name).name


async def handed_in(server: Jobs, name: str, options: JobOptions, key: str) -> Submitted:
    """Hand it in; a server that is busy is asked again when it says so, which a person is told. ``key``: of idempotency.

    Raises what ``Jobs.submit`` does.
    """
    keyed: JobOptions = {**options, "idempotency_key": key}  # an answer that was lost makes no second job
    told = False
    with closing(await asyncio.to_thread(seekable, name)) as recording:
        while True:
            try:
                return await server.submit(recording, name=called(name), **keyed)
            except Overloaded as busy:
                if not told:
                    complain(f"{name} waits to be handed in: {busy.message}")
                told = True
                await asyncio.sleep(max(1.0, busy.retry_after))
                recording.seek(0)
