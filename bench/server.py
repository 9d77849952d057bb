"""A server of its own for a benchmark."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO

from bench.machine import confine, family, pinned, role_of

ROOM = {
    "STARLING_SERVER__MAX_SESSIONS": "2000",
    "STARLING_SERVER__MAX_SESSIONS_PER_ADDRESS": "2000",
    "STARLING_PROCESSES__WORKERS": "0",
    "STARLING_JOBS__WORKERS": "0",
}
"""All sessions come from one address, and how many hold is the question. One process, so that one core is all it can use."""

START = 120.0
"""Seconds until a server must be ready; the first start may build graphs."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where it listens, and its process."""

    url: str
    pid: int


@asynccontextmanager
async def own_server(
    *,
    settings: Sequence[str] = (),
    core: int | Sequence[int] | None = None,
    workers: int | None = None,
    apart: Sequence[int] = (),
    module: Sequence[str] = ("starling",),
    log: IO[bytes] | None = None,
) -> AsyncIterator[Server]:
    """``starling serve`` on a free port. ``settings``: environment variables as ``NAME=VALUE``. ``core``: what it may use only,
    one or several. ``workers``: how many recognizers; 0, the default, for one process that does everything. ``apart``: where
    what is no recognizer is kept to.

    ``module``: what ``python -m`` runs instead, with its first arguments. ``log``: where its messages go as JSON, if not to the
    terminal. Raises TimeoutError if it does not get ready,
    RuntimeError if it ends before.
    """
    ours = {} if workers is None else {"STARLING_PROCESSES__WORKERS": str(workers)}
    environment = os.environ | ROOM | ours | dict(setting.split("=", 1) for setting in settings)
    with pinned(os.sched_getaffinity(0) if core is None else [core] if isinstance(core, int) else core):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *module, "serve", "--port", "0", "--log-level", "warning",
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(START):
            line = (await process.stdout.readline()).decode()
        url = next((word for word in line.split() if word.startswith("http://")), None)
        if url is None:
            raise RuntimeError(f"expected the server to say where it listens, got {line!r}: its messages are above")
        for pid in family(process.pid) if apart and workers else ():
            if role_of(pid) != "recognizers":
                confine(pid, apart)
        yield Server(url, process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
