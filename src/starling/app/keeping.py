"""A process that is there as long as its parent is: a transcriber. One that ends, or hangs, is replaced."""

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

TRANSCRIBER: Final = "starling.app.transcriber_process"
"""The module of it."""


class Keeper:
    """Keeps one ``python -m module`` alive, which reads what ``launch`` gives, and gives signs of life on its row of ``sheets``.

    ``run`` it until cancelled. Works on any event loop; on its thread the process is started (PR_SET_PDEATHSIG).

    ``grace``: seconds that it gets to end, when it is told to; None for END_AFTER. ``ended`` hears of each that ended unasked, by
    its exit status and what it had said on its sheet, before there is another: what it raises ends ``run``.
    """

    def __init__(
        self,
        module: str,
        launch: Callable[[], Launch],
        sheets: Sheets,
        row: int,
        clock: Clock,
        *,
        grace: float | None = None,
        ended: Callable[[int, bytes], None] | None = None,
    ) -> None:
        self._module = module
        self._launch = launch
        self._grace = grace
        self._heard = ended
        self._sheets = sheets
        self._row = row
        self._clock = clock
        self._restarts = Restarts(SupervisorOptions(workers=1), random.SystemRandom().random)
        self._process: subprocess.Popen[bytes] | None = None
        self._renewed = False

    @property
    def status(self) -> int | None:
        """The exit status of the one that was told to end, as subprocess gives it; None if there was none."""
        return None if self._process is None else self._process.returncode

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
                    said = self._sheets.said(self._row)
                finally:
                    self._sheets.clear(self._row)
                self._process = None
                if self._renewed:
                    self._renewed = False
                    continue
                own_fault = cause_of(status, None) in OWN_FAULT
                log.warning("process ended", process=launch.name, status=status)
                if self._heard is not None:
                    self._heard(status, said)
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
            await _ended(process, ending, END_AFTER if self._grace is None else self._grace)
            raise

    def _start(self, launch: Launch) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-m", self._module],
            stdin=subprocess.PIPE,
            pass_fds=tuple(fd for fd in (self._sheets.fd, launch.listener) if fd >= 0),
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


def transcriber_launch(settings: bytes, sheets: Sheets, *, listener: int = -1, eager: bool = False) -> Launch:
    """What a transcriber learns that has the last of ``sheets``. ``settings``: as JSON; ``listener``: of its status page."""
    return Launch(
        role=Role.TRANSCRIBER,
        row=sheets.rows - 1,
        worker=0,
        name=Role.TRANSCRIBER,
        core=None,
        settings=msgspec.Raw(settings),
        capabilities=msgspec.Raw(b"null"),
        arena=-1,
        sheets=sheets.fd,
        listener=listener,
        dialects={},
        eager=eager,
        parent=os.getpid(),
    )


def transcriber_keeper(settings: Callable[[], bytes], clock: Clock, sheets: Sheets) -> Keeper:
    """What keeps a transcriber beside a server. ``settings``: as JSON. Its metrics are on the last of ``sheets``."""
    return Keeper(TRANSCRIBER, lambda: transcriber_launch(settings(), sheets), sheets, sheets.rows - 1, clock)


@asynccontextmanager
async def kept(keeper: Keeper) -> AsyncIterator[None]:
    """``keeper`` at work for as long as the block runs."""
    running = asyncio.create_task(keeper.run(), name="keeper")
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])


async def _ended(process: subprocess.Popen[bytes], ending: asyncio.Future[int], grace: float) -> None:
    """Ask it to end, wait ``grace`` seconds until ``ending`` is done, and insist."""
    process.terminate()
    try:
        await asyncio.wait([ending], timeout=grace)
    finally:  # whoever insists need not wait
        process.kill()
    await asyncio.wait([ending])
