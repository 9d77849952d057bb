"""``starling transcriber``: a parent that keeps the process that transcribes, as a server keeps the one beside it.

One that crashes, is killed, or gives no sign of life, is replaced, and its jobs go on where they were once their leases have run
out. The port of the status page is the parent's: connections wait there meanwhile.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from contextlib import closing
from typing import Final

from starling.app.keeping import TRANSCRIBER, Keeper, transcriber_launch
from starling.app.options import as_json
from starling.app.unwrapping import unwrapped
from starling.config.settings import Settings
from starling.config.sizing import cores
from starling.core.errors import ServerError
from starling.supervisor.deaths import OWN_FAULT, cause_of
from starling.supervisor.orphans import bury
from starling.supervisor.presence import BEAT, read_said
from starling.supervisor.sheets import Sheets
from starling.supervisor.template import adopt_orphans
from starling.telemetry.clock import SystemClock

GRACE: Final = 60.0
"""Seconds that it gets to give back its jobs. Whoever ends this process has less patience, or none to wait for one that hangs."""

ROW: Final = 0
"""The child's sheet."""


def slots_alone(settings: Settings) -> int:
    """Recordings that a host transcribes at once which does nothing else."""
    return settings.jobs.workers or len(cores())


class Beginning:
    """Whether any of the processes came to work. Before that, one that cannot even begin is not tried again."""

    def __init__(self) -> None:
        self.over = asyncio.Event()

    def look(self, said: bytes) -> None:
        """At what is on the sheet."""
        if said and read_said(said).failure is None:
            self.over.set()

    def ended(self, status: int, said: bytes) -> None:
        """Raises what kept the first from its work. ``status``: as subprocess gives it."""
        self.look(said)
        if self.over.is_set() or cause_of(status, None) not in OWN_FAULT:
            return
        raise read_said(said).failure or ServerError("the process that transcribes ended while it was started: the log says more")


async def keep_transcribing(
    settings: Settings, listener: socket.socket | None, announce: Callable[[], None], stop: asyncio.Event
) -> int:
    """Transcribe until ``stop`` is set; the exit status of the process that did, which is 0 if it ended as it was asked to.

    ``listener``: of the status page. ``announce`` is called once models are loaded. Raises StarlingError when it cannot start.
    """
    adopt_orphans()
    chosen = settings.jobs.model_copy(update={"workers": slots_alone(settings)})
    content = as_json(settings.model_copy(update={"jobs": chosen}))
    with closing(Sheets.create(ROW + 1)) as sheets:
        beginning, fd = Beginning(), -1 if listener is None else listener.fileno()
        keeper = Keeper(
            TRANSCRIBER,
            lambda: transcriber_launch(content, sheets, listener=fd, eager=True),
            sheets,
            ROW,
            SystemClock(),
            grace=GRACE,
            ended=beginning.ended,
        )
        with unwrapped():
            async with asyncio.TaskGroup() as tasks:  # nobody is left behind by who insists: the sheets are there until all ended
                working = [
                    tasks.create_task(keeper.run(), name="keeper"),
                    tasks.create_task(_announce(beginning, sheets, announce), name="beginning"),
                    tasks.create_task(bury(), name="orphans"),
                ]
                await stop.wait()
                for task in working:
                    task.cancel()
        return exit_status(keeper.status)


def exit_status(status: int | None) -> int:
    """What a shell would say of one that was told to end. ``status``: as subprocess gives it."""
    if status is None or status == -signal.SIGTERM:  # it had not begun to listen to what it is told
        return 0
    return status if status >= 0 else 128 - status


async def _announce(beginning: Beginning, sheets: Sheets, announce: Callable[[], None]) -> None:
    while not beginning.over.is_set():
        beginning.look(sheets.said(ROW))
        await asyncio.sleep(BEAT)
    announce()
