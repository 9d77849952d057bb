"""Who sees a role end that runs apart: its parent, which does nothing else, and tells Redis whose audio was in hand.

::

    sheets = attend(settings, Attended.RECOGNIZER, INSTANCE)  # from here on in the child; the parent stays in there

The child works. Its parent outlives it, even as the first process of a container, and learns from the kernel how it ended, as a
supervisor does on one host; a network that is cut, a host that fails and somebody's SIGKILL blame nobody. It also ends a
recognizer that is stuck in a call, or outgrows its memory. Whoever runs the two sees one process: signals are passed on, and the
exit status is the child's.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from starling.app.options import log_options
from starling.app.redis import redis_options
from starling.bus.redis.inquest import bury_gateway, bury_recognizer
from starling.bus.redis.link import Link
from starling.config.machine import memory_limit
from starling.config.settings import Settings
from starling.core.errors import StarlingError
from starling.core.ports import Work
from starling.supervisor.deaths import OWN_FAULT, Cause, cause_of
from starling.supervisor.options import SupervisorOptions
from starling.supervisor.processes import Activity, activity_of, memory_of
from starling.supervisor.sheets import InHand, Sheets
from starling.supervisor.verdicts import Signs, judge
from starling.telemetry.lineage import end_with
from starling.telemetry.logs import configure_logging, get_logger

log = get_logger(__name__)

LOOK: Final = 0.5
"""Seconds between two looks at the child."""

PATIENCE: Final = 10.0
"""Seconds for which it is tried to tell Redis of an end. Later than that others have the sessions, and nobody would be blamed."""

OF_GROUP: Final = 0.85
"""How much of the memory of its control group a recognizer may hold by itself: the attendant and files need the rest."""

PASSED_ON: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

ROW: Final = 0
"""The child's sheet."""


class Attended(StrEnum):
    """Roles that have an attendant."""

    GATEWAY = "gateway"
    RECOGNIZER = "recognizer"


@dataclass(frozen=True, slots=True)
class End:
    """How a child ended. ``status``: as subprocess gives it. ``blamed``: whose audio it may have died of, see ``key_of``."""

    status: int
    cause: Cause
    blamed: frozenset[int]

    @property
    def exit_status(self) -> int:
        """What a shell would say of it."""
        return self.status if self.status >= 0 else 128 - self.status


def attend(settings: Settings, role: Attended, member: str) -> Sheets | None:
    """Go on in a child, whose sheets are returned there; here wait for its end, and exit as it did (SystemExit).

    Call it before there are threads, and an event loop. ``member``: the name under which Redis knows the role. Where processes
    cannot be attended, off Linux, nothing happens.
    """
    if sys.platform != "linux":
        return None
    sheets, parent = Sheets.create(ROW + 1), os.getpid()
    child = os.fork()
    if child == 0:
        end_with(parent, role)
        return sheets
    sys.exit(_attended(settings, role, member, child, sheets))


def _attended(settings: Settings, role: Attended, member: str, child: int, sheets: Sheets) -> int:
    configure_logging(log_options(settings), process=f"{role} attendant")
    for number in PASSED_ON:
        signal.signal(number, lambda number, _frame: _pass_on(child, number))
    end = watch(child, sheets, _judge_of(settings, role))
    if end.status < 0 or end.blamed:  # else it ended in good order, and has given back what it had
        log.warning("process ended", member=role, cause=end.cause, status=end.status, in_hand=len(end.blamed))
        asyncio.run(_tell(settings, role, member, end.blamed))
    return end.exit_status


def below(chosen: int, group: int | None) -> int:
    """How many bytes a recognizer may hold: as ``chosen``, but before its control group has none left.

    There the kernel would end its attendant with it, or another process of the group, and nobody would tell whose audio it was.
    ``group``: the limit of the group, None for none.
    """
    return chosen if group is None else min(chosen, int(OF_GROUP * group))


def _pass_on(child: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(child, number)


def _judge_of(settings: Settings, role: Attended) -> Judge:
    processes = settings.processes
    limit = sys.maxsize
    if role is Attended.RECOGNIZER:
        chosen = processes.memory_limit_mb << 20
        limit = below(chosen, memory_limit(Path("/")))
        if limit < chosen:
            log.info("memory limited", limit_mb=limit >> 20, reason="so is the control group, and whom that ends nobody blames")
    return Judge(SupervisorOptions(workers=1, stuck_timeout=processes.stuck_timeout, memory_limit=limit), time.monotonic())


class Judge:
    """Judges the calls and the memory of one process, as a supervisor would. ``now``, here and below: monotonic seconds."""

    def __init__(
        self,
        options: SupervisorOptions,
        now: float,
        *,
        activity: Callable[[int], Activity] = activity_of,
        memory: Callable[[int], int] = memory_of,
    ) -> None:
        self._options = options
        self._activity = activity
        self._memory = memory
        self._looked = self._resumed = self._modest = now

    def look(self, pid: int, in_hand: Mapping[Work, InHand], now: float) -> Cause | None:
        """Why the process must end, or None."""
        is_long = any(now - call.since > LOOK for call in in_hand.values())
        if (is_long and self._activity(pid).stopped) or now - self._looked > 4 * LOOK:  # or the whole machine was
            self._resumed = now
        self._looked = now
        since = {work: max(call.since, self._resumed) for work, call in in_hand.items()}
        signs = Signs(
            started=0.0,
            ready=True,
            beat=now,
            listening=since.get(Work.LISTEN),
            decoding=since.get(Work.DECODE),
            memory=self._memory(pid),
        )
        if signs.memory <= self._options.memory_limit:
            self._modest = now
        return judge(signs, self._options, now)

    def blamed(self, cause: Cause, in_hand: Mapping[Work, InHand]) -> frozenset[int]:
        """Of whose audio it may have ended, having these calls in hand. What began in excess of memory is not its cause."""
        if cause not in OWN_FAULT:
            return frozenset()
        calls = [call for call in in_hand.values() if cause is not Cause.MEMORY or call.since <= self._modest]
        return frozenset(key for call in calls for key in call.keys)


def watch(child: int, sheets: Sheets, judge: Judge) -> End:
    """Wait for the end of a child, or bring it about where ``judge`` says so. ``child``: its process id."""
    verdict = None
    pidfd = os.pidfd_open(child)
    try:
        ended = select.poll()
        ended.register(pidfd, select.POLLIN)
        while not ended.poll(1000 * LOOK):
            if verdict is None and (verdict := judge.look(child, sheets.in_hand(ROW), time.monotonic())):
                log.warning("process condemned", cause=verdict)
                os.kill(child, signal.SIGKILL)
    finally:
        os.close(pidfd)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    cause = cause_of(status, verdict)
    return End(status, cause, judge.blamed(cause, sheets.in_hand(ROW)))


async def _tell(settings: Settings, role: Attended, member: str, blamed: frozenset[int]) -> None:
    """Tell Redis, if it can be told."""
    link = Link(redis_options(settings))
    bury = bury_recognizer if role is Attended.RECOGNIZER else bury_gateway
    try:
        async with asyncio.timeout(PATIENCE):
            struck = await bury(link, member, blamed)
        log.info("end told", member=role, struck=struck)
    except (StarlingError, TimeoutError) as error:
        log.warning("end not told", member=role, reason=type(error).__name__)
    finally:
        await link.close()
