"""Children of children that ended: the kernel gives them to us (see ``adopt_orphans``), and nobody waits for their end.

A killed gateway leaves its probers so, a killed transcriber its scribes. They end by themselves (PR_SET_PDEATHSIG), and would
then stand in the table of processes for as long as this one runs.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

LOOK: Final = 30.0
"""Seconds between two looks. Who waits for a child of its own takes it the moment it ends: what is still there at the second look
has nobody.
"""

Dead: TypeAlias = tuple[int, str]
"""A process id, and when that process began: ids come again."""


async def bury() -> None:
    """For ever."""
    before: frozenset[Dead] = frozenset()
    while True:
        await asyncio.sleep(LOOK)
        before = buried(before)


def buried(before: frozenset[Dead]) -> frozenset[Dead]:
    """Reap the dead children that were found dead ``before``; the others that are dead now."""
    dead = frozenset(_dead())
    for pid, _ in dead & before:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    return dead - before


def _dead() -> Iterator[Dead]:
    """Children of this process that ended, and whom nobody waited for (proc(5))."""
    ours = str(os.getpid())
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent, *more = path.read_text().rpartition(")")[2].split()
            if (state, parent) == ("Z", ours):
                yield int(path.parent.name), more[17]
