"""Scribes that are copied from one template: the models are in memory once, and a scribe is there at once."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import BinaryIO, Final

import msgspec

from starling.app.options import as_json
from starling.config.settings import Settings
from starling.core.errors import ServerError
from starling.core.ports import Clock
from starling.supervisor.copies import Copy
from starling.supervisor.deaths import OWN_FAULT, cause_of
from starling.supervisor.launch import Launch, Role, spawn
from starling.supervisor.options import SupervisorOptions
from starling.supervisor.presence import read_said
from starling.supervisor.processes import activity_of
from starling.supervisor.restarts import Restarts
from starling.supervisor.template import Template, TemplateLost, adopt_orphans
from starling.supervisor.templates import TemplateFailed, Templates
from starling.telemetry.logs import get_logger
from starling.transcriber.dictation import dictate
from starling.transcriber.messages import GREETING, Order, Over, Told
from starling.transcriber.ports import NoScribe
from starling.transcriber.turns import TakingTurns

log = get_logger(__name__)

MODULE: Final = "starling.app.scribe_process"

NAME: Final = "template-scribe"

IDLE: Final = 300.0
"""Seconds without a recording after which the models are let go of: many servers never see one."""

AGAIN: Final = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
"""Seconds to wait for another template where one was killed before it was any use. Who keeps killing them may be the kernel, for
want of memory; after the last the job goes back to the queue.
"""

PATIENCE: Final = 600.0
"""Seconds that the template may take for a copy, and be no failure: it computes only where nobody else wants to."""


class CopiedScribe:
    """The process ``pid``, at the other end of ``sock``."""

    def __init__(self, pid: int, sock: socket.socket) -> None:
        made: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        made.set_result(pid)
        self._copy = Copy(made, lambda: None)
        self._waiting = asyncio.ensure_future(self._copy.wait())
        self.sock = sock
        self._pid = pid
        self._computed = 0.0
        self._stands = self._stood = False  # by our own doing: now, and since it was asked last whether it is still

    async def at_home(self) -> None:
        """Wait until it ends with this process whatever happens, or has ended.

        Before that it must not stand still: it would never learn that this process is gone.
        """
        loop = asyncio.get_running_loop()
        self.sock.setblocking(False)  # noqa: FBT003 - its only argument
        try:
            with suppress(ConnectionError):
                await loop.sock_sendall(self.sock, GREETING)
                await loop.sock_recv(self.sock, len(GREETING))
        except BaseException:
            self.kill()
            self.sock.close()
            await self.wait()
            raise

    def kill(self) -> None:
        self._copy.kill()

    def pause(self) -> None:
        self._stands = self._stood = True
        self._copy.send_signal(signal.SIGSTOP)

    def still(self) -> bool:
        """See ``Scribe``. One that waits for a core is at work, however long that lasts."""
        activity, stood, before = activity_of(self._pid), self._stood, self._computed
        self._stood, self._computed = self._stands, activity.computed
        return not (stood or activity.runnable or activity.computed > before)

    def resume(self) -> None:
        self._stands = False
        self._copy.send_signal(signal.SIGCONT)

    async def wait(self) -> int:
        return await asyncio.shield(self._waiting)


class CopiedScribes:
    """``Scribes`` that are copies of the newest template. Of the process that has it: it must be on asyncio's own loop.

    ``places``: those that compute at once, if there are more of them; None for all.
    """

    def __init__(self, settings: Settings, clock: Clock, places: int | None = None) -> None:
        restarts = Restarts(SupervisorOptions(workers=1), random.SystemRandom().random)
        self._settings = as_json(settings)
        self._clock = clock
        self._turns = TakingTurns(places, clock.now)
        self._at_work = 0
        self._left = clock.now()
        self._templates = Templates(NAME, self._start_template, _is_ready, restarts, clock)
        adopt_orphans()

    async def ready(self) -> None:
        """Wait until recordings can be transcribed. Raises what keeps the models from being loaded."""
        try:
            await self._templates.ready()
        except (TemplateFailed, TemplateLost) as error:
            raise _failure(error) from error

    async def transcribe(self, order: Order, file: BinaryIO, told: Callable[[Told], Awaitable[None]]) -> Over:
        """See the port."""
        self._at_work += 1
        try:
            scribe = await self._copy()
            await scribe.at_home()
            with self._turns.taking(scribe, urgent=order.urgent):
                return await dictate(scribe, order, file, told)
        finally:
            self._at_work -= 1
            self._left = self._clock.now()

    async def rest(self) -> None:
        """For ever: let go of models that nobody needed for a while. They are loaded again for the next recording."""
        while True:
            await asyncio.sleep(IDLE)
            if not self._at_work and self._clock.now() - self._left > IDLE:
                self._templates.renew()

    async def _copy(self) -> CopiedScribe:
        ours, its = socket.socketpair()
        with its:
            try:
                pid = await self._fork(its.fileno())
            except BaseException as error:
                ours.close()
                if isinstance(error, TemplateFailed | TemplateLost):
                    raise NoScribe(str(_failure(error))) from error
                if isinstance(error, ServerError | OSError):
                    raise NoScribe(str(error)) from error
                raise
        return CopiedScribe(pid, ours)

    async def _fork(self, fd: int) -> int:
        """As ``Templates.fork``, but a template that somebody else ended, loading or not, is followed by the next, soon."""
        for delay in AGAIN:
            try:
                return await self._templates.fork(fd)
            except (TemplateFailed, TemplateLost) as error:
                if isinstance(error, TemplateFailed) and cause_of(error.status, None) in OWN_FAULT:
                    raise
                log.warning("template lost", template=NAME, retry_seconds=delay)
            await asyncio.sleep(delay)
        return await self._templates.fork(fd)

    async def close(self) -> None:
        """End the template."""
        await self._templates.close()

    async def _start_template(self) -> Template:
        ours, its = Template.channel()
        with its:
            launch = Launch(
                role=Role.TEMPLATE,
                row=-1,
                worker=0,
                name=NAME,
                core=None,
                settings=msgspec.Raw(self._settings),
                capabilities=msgspec.Raw(b"null"),
                arena=-1,
                sheets=-1,
                listener=-1,
                dialects={},
                requests=its.fileno(),
                parent=os.getpid(),
            )
            try:
                process = await spawn(launch, MODULE, [its.fileno()])
            except BaseException:
                ours.close()
                raise
        return Template(process, ours, patience=PATIENCE)


@asynccontextmanager
async def scribes(settings: Settings, clock: Clock, places: int | None = None) -> AsyncIterator[CopiedScribes]:
    """Scribes for as long as the block runs, see ``CopiedScribes``. Nothing is loaded before they are needed."""
    copied = CopiedScribes(settings, clock, places)
    resting = asyncio.create_task(copied.rest(), name="rest")
    try:
        yield copied
    finally:
        resting.cancel()
        await copied.close()


def _is_ready(said: bytes) -> bool:
    return bool(said) and read_said(said).failure is None


def _failure(error: TemplateFailed | TemplateLost) -> Exception:
    """What the template said of why it ended."""
    said = read_said(error.said).failure if isinstance(error, TemplateFailed) else None
    return said or ServerError("the process that transcribes recordings ended while it was started: the log says more")
