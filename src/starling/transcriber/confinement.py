"""What a process may use that reads files of strangers with libraries written in C.

The kernel holds it to that, and ends it where it goes beyond: nobody has to watch it.
"""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path
from typing import Final

NICE: Final = 10
"""A tenth of a core is left to it by whoever else wants all of one: 110 parts of 1024 (sched(7), kernel/sched/core.c)."""

NICEST: Final = 19

GRACE: Final = 60
"""Seconds of computing that are granted before anything is heard: an index may be long."""

FACTOR: Final = 2
"""Seconds of computing for each second of each channel. It takes a hundredth of one; what takes more than this is stuck."""


def stand_back() -> None:
    """Take far less than a fair share. Whoever has once gone further cannot come back here without privileges (sched(7))."""
    with suppress(OSError):
        os.nice(NICE)


def yield_to_others() -> None:
    """Compute only where nobody else wants to: live sessions go before recordings."""
    if hasattr(os, "SCHED_IDLE"):
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with suppress(OSError):
        os.nice(NICEST)


class Confinement:
    """Of this process, once ``begin`` is called. ``memory``: bytes of address space beyond what there is then.

    ``idle_only``: what nobody waits for is done where nobody else wants to compute.
    """

    def __init__(self, memory: int, *, idle_only: bool) -> None:
        self.memory = memory
        self.idle_only = idle_only

    def begin(self, *, urgent: bool) -> None:
        """Bind this process, and let it leave no image of its memory, which holds speech. ``urgent``: somebody waits."""
        if self.idle_only and not urgent:
            yield_to_others()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if (size := _address_space()) is not None:
            _lower(resource.RLIMIT_AS, size + self.memory)
        self.grant(0.0, 1)

    def grant(self, done: float, channels: int) -> None:
        """Allow the computing that ``done`` seconds of sound are worth. Beyond it comes SIGXCPU, which ends the process."""
        _lower(resource.RLIMIT_CPU, GRACE + int(done * FACTOR) * channels)


def _lower(kind: int, limit: int) -> None:
    _, hard = resource.getrlimit(kind)
    with suppress(ValueError, OSError):
        resource.setrlimit(kind, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _address_space() -> int | None:
    """Bytes of it that this process has, where the kernel says so."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None
