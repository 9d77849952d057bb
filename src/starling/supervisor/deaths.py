"""Why a process ended, and whether what it worked on can be to blame."""

from __future__ import annotations

import signal
from enum import StrEnum
from typing import Final


class Cause(StrEnum):
    """Why a process ended. ``KILLED``: by somebody who sent a signal from outside, the kernel short of memory included."""

    CRASH = "crash"
    EXIT = "exit"
    HANG = "hang"
    STUCK = "stuck"
    START = "start"
    MEMORY = "memory"
    STOPPED = "stopped"
    KILLED = "killed"
    REPLACED = "replaced"


CRASHES: Final = frozenset(
    number
    for name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS")
    if (number := getattr(signal, name, None)) is not None
)
"""Signals that code brings on itself."""

OWN_FAULT: Final = frozenset({Cause.CRASH, Cause.EXIT, Cause.STUCK, Cause.HANG, Cause.MEMORY})
"""Causes that lie in the process or in what it was given."""


def cause_of(returncode: int, verdict: Cause | None) -> Cause:
    """Why a process ended whose exit status is ``returncode`` (negative: a signal's number, as subprocess gives it).

    ``verdict``: for what the supervisor killed it, or None. A crash that came before the blow is still a crash.
    """
    if returncode < 0 and -returncode in CRASHES:
        return Cause.CRASH
    if verdict is not None:
        return verdict
    return Cause.KILLED if returncode <= 0 else Cause.EXIT
