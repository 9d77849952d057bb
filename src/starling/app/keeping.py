"""A process beside the server that is there as long as the server is: the transcriber. One that ends, or hangs, is replaced."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import msgspec

from starling.app import pulse
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
    """Keeps one ``python -m module`` alive, which reads what ``launch`` gives, and gives signs of life on its row of ``sheets``.

    ``run`` it until cancelled. Works on any event loop; on its thread the process is started (PR_SET_PDEATHSIG).
    """

    def __init__(self, module: str, launch: Callable[[], Launch], sheets: Sheets, row: int, clock: Clock) -> None:
        self._module = module
        self._launch = launch
        self._sheets = sheets
        self._row = row
        self._clock = clock
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
                    status = await self._watched(process, launch.name)
                finally:
                    self._sheets.clear(self._row)
                if self._renewed:
                    self._renewed = False
                    continue
                own_fault = cause_of(status, None) in OWN_FAULT
                log.warning("process ended", process=launch.name, status=status)
            await asyncio.sleep(self._restarts.failed(self._clock.now(), own_fault=own_fault))

    async def _watched(self, process: subprocess.Popen[bytes], name: str) -> int:
        """Its exit status. One that hangs is killed: what it works on is given to others once its leases have run out."""
        ending, life = asyncio.ensure_future(asyncio.to_thread(process.wait)), pulse.Pulse()
        try:
            while not ending.done():
                await asyncio.wait([ending], timeout=pulse.LOOK)
                if not ending.done() and life.hung(self._sheets.last_beat(self._row)):
                    log.warning("process hangs", process=name, pid=process.pid)
                    process.kill()
            return ending.result()
        except asyncio.CancelledError:
            await _ended(process, ending)
            raise

    def _start(self, launch: Launch) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-m", self._module],
            stdin=subprocess.PIPE,
            pass_fds=(self._sheets.fd,),
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


def transcriber_keeper(settings: Callable[[], bytes], clock: Clock, sheets: Sheets) -> Keeper:
    """What keeps a transcriber beside a server. ``settings``: as JSON. Its metrics are on the last of ``sheets``."""
    row = sheets.rows - 1

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
            sheets=sheets.fd,
            listener=-1,
            dialects={},
            parent=os.getpid(),
        )

    return Keeper("starling.app.transcriber_process", launch, sheets, row, clock)


@asynccontextmanager
async def kept(keeper: Keeper) -> AsyncIterator[None]:
    """``keeper`` at work for as long as the block runs."""
    running = asyncio.create_task(keeper.run(), name="keeper")
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])


async def _ended(process: subprocess.Popen[bytes], ending: asyncio.Future[int]) -> None:
    """Ask it to end, wait until ``ending`` is done, and insist."""
    process.terminate()
    await asyncio.wait([ending], timeout=END_AFTER)
    process.kill()
    await asyncio.wait([ending])
