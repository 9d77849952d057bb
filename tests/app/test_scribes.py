"""Processes that have recordings in hand: which of them do nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from chaos.platform_harness import eventually
from starling.app.scribes import CopiedScribe
from starling.supervisor.processes import activity_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel of Linux")


def with_process(program: str, look: Callable[[CopiedScribe, int], Coroutine[Any, Any, None]]) -> None:
    async def main(pid: int) -> None:
        ours, its = socket.socketpair()
        with ours, its:
            scribe = CopiedScribe(pid, ours)
            try:
                await look(scribe, pid)
            finally:
                scribe.kill()
                await scribe.wait()

    with subprocess.Popen([sys.executable, "-Sc", program]) as process:  # noqa: S603 - ours
        asyncio.run(main(process.pid))


def test_who_sleeps_or_was_stopped_by_others_is_still_and_who_gives_way_is_not() -> None:
    async def look(scribe: CopiedScribe, pid: int) -> None:
        await eventually(scribe.still)
        scribe.pause()
        await eventually(lambda: activity_of(pid).stopped)
        assert not scribe.still()
        scribe.resume()
        assert not scribe.still()  # it stood still when it was asked last
        await eventually(scribe.still)
        os.kill(pid, signal.SIGSTOP)
        await eventually(scribe.still)

    with_process("import time; time.sleep(1e6)", look)


def test_who_computes_is_not_still_nor_who_waits_for_a_core() -> None:
    async def look(scribe: CopiedScribe, pid: int) -> None:
        await eventually(lambda: activity_of(pid).computed > 0.2)
        assert not any(scribe.still() for _ in range(100))

    with_process("while True: pass", look)
