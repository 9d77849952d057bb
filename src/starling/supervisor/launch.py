"""How a child is started, and what it learns: its first message, on its standard input."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Final

import msgspec

from starling.core.errors import ServerError
from starling.telemetry.lineage import end_with

SINGLE: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""One thread for each model is all there is to gain, and pools of threads cost memory in every process."""


class Role(StrEnum):
    """What a process is for."""

    SUPERVISOR = "supervisor"
    GATEWAY = "gateway"
    WORKER = "worker"
    TEMPLATE = "template"
    TRANSCRIBER = "transcriber"


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """What a child learns. ``row``: its sheet. ``worker``: its row among the arena's workers. ``name``: in logs and metrics.

    ``core``: the one it keeps to, if any. ``settings``, ``capabilities``: as JSON; the latter null if no worker said them yet.
    ``arena``, ``sheets``, ``listener``, ``dialects``: inherited file descriptors, the last by the names of the dialects that
    have a port of their own. ``requests``: another, where the template hears of copies to make. ``eager``: it loads models
    before it is ready. ``parent``: whose child it is.
    """

    role: Role
    row: int
    worker: int
    name: str
    core: int | None
    settings: msgspec.Raw
    capabilities: msgspec.Raw
    arena: int
    sheets: int
    listener: int
    dialects: Mapping[str, int]
    requests: int = -1
    eager: bool = False
    parent: int


async def spawn(
    launch: Launch, module: str, fds: Sequence[int], environment: Mapping[str, str] | None = None
) -> asyncio.subprocess.Process:
    """Start ``python -m module``, which inherits ``fds`` and reads ``launch``.

    It is in a process group of its own: a Ctrl-C in the terminal reaches the supervisor alone, which then ends its children in
    good order. Call it on the main thread only (see PR_SET_PDEATHSIG).
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module,
        stdin=asyncio.subprocess.PIPE,
        pass_fds=tuple(fds),
        process_group=0,
        env=dict.fromkeys(SINGLE, "1") | dict(os.environ if environment is None else environment),
    )  # fmt: skip
    assert process.stdin is not None
    with suppress(BrokenPipeError, ConnectionResetError):  # it died at once, which whoever waits for it notices
        process.stdin.write(msgspec.json.encode(launch))
        await process.stdin.drain()
        process.stdin.close()
    return process


def receive_launch(fd: int = 0) -> Launch:
    """What this process is to do, as ``fd`` says; it is standard input but in a copy of the template. Call it first of all.

    The process ends with its parent from now on, has its name in `ps -o comm`, and keeps to its core. Raises ServerError in a
    process that was not started by ``spawn``.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with os.fdopen(fd, "rb", closefd=fd != 0) as message:
        content = message.read()
    try:
        launch = msgspec.json.decode(content, type=Launch)
    except msgspec.DecodeError as error:
        raise ServerError("expected to be started by `starling serve`, which is the command to use") from error
    end_with(launch.parent, launch.name)
    if launch.core is not None and hasattr(os, "sched_setaffinity"):
        with suppress(OSError):  # the core went away
            os.sched_setaffinity(0, {launch.core})
    return launch
