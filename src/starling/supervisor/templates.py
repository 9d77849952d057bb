"""There is always a template, or one is loading."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

from starling.core.ports import Clock
from starling.supervisor.deaths import OWN_FAULT, cause_of
from starling.supervisor.processes import activity_of
from starling.supervisor.restarts import Restarts
from starling.supervisor.template import Template, TemplateLost
from starling.telemetry.logs import get_logger

log = get_logger(__name__)


STOPPED: Final = 0.25
"""Seconds between two looks at a template; one that stands still at both is no use to anybody who will need a copy."""


class TemplateFailed(Exception):
    """It ended with ``status`` before it was ready. ``said``: why, see Said; or nothing."""

    def __init__(self, status: int, said: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.said = said


class Templates:
    """The template of the moment, called ``name`` in the log. ``start`` starts one; ``is_ready`` tells from its first message
    whether it can be copied.

    One that ends while nobody needs it is replaced as a worker would be (``restarts``). One that cannot be loaded is not tried
    again before somebody asks for a copy.
    """

    def __init__(
        self,
        name: str,
        start: Callable[[], Awaitable[Template]],
        is_ready: Callable[[bytes], bool],
        restarts: Restarts,
        clock: Clock,
    ) -> None:
        self._name = name
        self._start = start
        self._is_ready = is_ready
        self._restarts = restarts
        self._clock = clock
        self._newest: asyncio.Task[Template] | None = None
        self._aside: set[asyncio.Task[object]] = set()
        self._closed = asyncio.Event()

    async def copy(self, launch: bytes) -> int:
        """A copy that reads ``launch``; its process id. A template that is lost over it is replaced, once.

        Raises TemplateFailed, TemplateLost, ServerError, and OSError if no process can be started.
        """
        return await self._copied(lambda template: template.copy(launch))

    async def fork(self, fd: int) -> int:
        """A copy that gets ``fd``, which stays open here. As ``copy`` in everything else."""
        return await self._copied(lambda template: template.fork(os.dup(fd)))

    async def ready(self) -> None:
        """Wait until there is one to copy. Raises TemplateFailed, TemplateLost, and OSError if no process can be started."""
        await self._ready()

    async def _copied(self, make: Callable[[Template], Awaitable[int]]) -> int:
        template = await self._ready()
        try:
            return await make(template)
        except TemplateLost:
            log.warning("template lost", template=self._name, pid=template.pid)
        await template.wait()
        return await make(await self._ready())

    def renew(self) -> None:
        """Copy no more from the template that there is, or is loading. The next one is loaded when it is asked for."""
        task, self._newest = self._newest, None
        if task is None:
            return
        if not task.done():
            task.cancel()
        elif not task.cancelled() and task.exception() is None:
            task.result().kill()

    async def close(self) -> None:
        """End it, and start none any more."""
        self._closed.set()
        task = self._newest
        self.renew()
        if task is not None:
            await asyncio.wait([task])
        while self._aside:
            await asyncio.wait(self._aside)

    async def _ready(self) -> Template:
        """The newest, once it is; whoever waits for one that is renewed meanwhile waits for its successor."""
        while not self._closed.is_set():
            task = self._newest
            if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
                task = self._newest = asyncio.create_task(self._load(), name="template")
            await asyncio.wait([task])
            if not task.cancelled():
                return task.result()
        raise TemplateLost

    async def _load(self) -> Template:
        began = self._clock.now()
        template = await self._start()
        log.info("template started", template=self._name, pid=template.pid)
        try:
            said = await template.said()
        except asyncio.CancelledError:
            template.kill()
            self._keep(template.wait())
            raise
        if not self._is_ready(said):
            raise TemplateFailed(await template.wait(), said)
        self._restarts.ready(self._clock.now())
        after = round(self._clock.now() - began, 3)
        log.info("template ready", template=self._name, pid=template.pid, after_seconds=after)
        self._keep(self._attend(template, asyncio.current_task()))
        return template

    async def _attend(self, template: Template, loaded: asyncio.Task[Any] | None) -> None:
        watching = self._keep(_end_when_stopped(template))
        status = await template.wait()
        watching.cancel()
        if self._newest is not loaded:
            return  # it was renewed
        self._newest = None
        delay = self._restarts.failed(self._clock.now(), own_fault=cause_of(status, None) in OWN_FAULT)
        log.warning("template ended", template=self._name, pid=template.pid, status=status, restart_seconds=delay)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closed.wait(), delay)
        with suppress(TemplateFailed, TemplateLost, OSError):  # the next who needs a copy learns it
            await self._ready()

    def _keep(self, work: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
        task = asyncio.create_task(work)
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)
        return task


async def _end_when_stopped(template: Template) -> None:
    """Its successor loads while nobody waits for it."""
    stood = False
    while not (stood and activity_of(template.pid).stopped):
        stood = activity_of(template.pid).stopped
        await asyncio.sleep(STOPPED)
    log.warning("template stopped", pid=template.pid)
    template.kill()
