"""A process beside the server that is there as long as the server is: the transcriber. One that ends is replaced."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import msgspec

from starling.config.settings import Settings
from starling.core.ports import Clock
from starling.supervisor.deaths import OWN_FAULT, cause_of
from starling.supervisor.launch import SINGLE, Launch, Role
from starling.supervisor.options import SupervisorOptions
from starling.supervisor.restarts import Restarts
from starling.supervisor.sheets import Sheets
from starling.telemetry.logs import get_logger

log = get_logger(__name__)

END_AFTER: Final = 5.0
"""Seconds that it gets to give back what it works on."""


class Keeper:
    """Keeps one ``python -m module`` alive, which inherits ``fds`` and reads what ``launch`` gives. ``run`` it until cancelled.

    ``cleared`` is called when one has ended. Works on any event loop; on its thread the process is started (PR_SET_PDEATHSIG).
    """

    def __init__(
        self, module: str, launch: Callable[[], Launch], fds: Sequence[int], clock: Clock, cleared: Callable[[], None]
    ) -> None:
        self._module = module
        self._launch = launch
        self._fds = fds
        self._clock = clock
        self._cleared = cleared
        self._restarts = Restarts(SupervisorOptions(workers=1), random.SystemRandom().random)
        self._process: subprocess.Popen[bytes] | None = None
        self._renewed = False

    def renew(self) -> None:
        """Let another one, of a new launch, take its place."""
        if self._process is not None:
            self._renewed = True
            self._process.terminate()

    async def run(self) -> None:
        """Until it is cancelled; the process is gone then."""
        while True:
            launch, own_fault = self._launch(), True
            began = self._clock.now()
            try:
                process = self._process = self._start(launch)
            except OSError as error:
                log.warning("process not started", process=launch.name, reason=error.strerror)
            else:
                log.info("process started", process=launch.name, pid=process.pid)
                self._restarts.ready(began)
                try:
                    status = await asyncio.to_thread(process.wait)
                except asyncio.CancelledError:
                    await _ended(process)
                    raise
                finally:
                    self._cleared()
                if self._renewed:
                    self._renewed = False
                    continue
                own_fault = cause_of(status, None) in OWN_FAULT
                log.warning("process ended", process=launch.name, status=status)
            await asyncio.sleep(self._restarts.failed(self._clock.now(), own_fault=own_fault))

    def _start(self, launch: Launch) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-m", self._module],
            stdin=subprocess.PIPE,
            pass_fds=tuple(self._fds),
            process_group=0,  # as ``spawn`` does: a Ctrl-C in the terminal is for the server alone
            env=dict.fromkeys(SINGLE, "1") | dict(os.environ),
        )
        assert process.stdin is not None
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.write(msgspec.json.encode(launch))
        return process


def slots_beside_a_server(settings: Settings) -> int:
    """Recordings that a server's host transcribes at once."""
    if sys.platform != "linux":  # pragma: no cover - scribes are forked and confined as Linux does it
        return 0
    return 1 if settings.jobs.workers is None else settings.jobs.workers


def transcriber_keeper(settings: Callable[[], bytes], clock: Clock, sheets: Sheets | None = None) -> Keeper:
    """What keeps a transcriber beside a server. ``settings``: as JSON. Its metrics are on the last of ``sheets``."""
    row = -1 if sheets is None else sheets.rows - 1

    def launch() -> Launch:
        return Launch(
            role=Role.TRANSCRIBER,
            row=row,
            worker=0,
            name=Role.TRANSCRIBER,
            core=None,
            settings=msgspec.Raw(settings()),
            capabilities=msgspec.Raw(b"null"),
            arena=-1,
            sheets=-1 if sheets is None else sheets.fd,
            listener=-1,
            dialects={},
            parent=os.getpid(),
        )

    def cleared() -> None:
        if sheets is not None:
            sheets.clear(row)

    return Keeper("starling.app.transcriber_process", launch, [] if sheets is None else [sheets.fd], clock, cleared)


@asynccontextmanager
async def kept(keeper: Keeper) -> AsyncIterator[None]:
    """``keeper`` at work for as long as the block runs."""
    running = asyncio.create_task(keeper.run(), name="keeper")
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])


async def _ended(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, wait, and insist."""
    process.terminate()
    try:
        async with asyncio.timeout(END_AFTER):
            await asyncio.to_thread(process.wait)
    except TimeoutError:
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait)
