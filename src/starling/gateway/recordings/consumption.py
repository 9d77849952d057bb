"""What a tree of processes uses, as Linux counts it (proc(5)).

Metrics know only those processes that keep some: scribes, probers and templates keep none, and are most of what recordings cost.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TICK: Final = os.sysconf("SC_CLK_TCK")
PAGE: Final = os.sysconf("SC_PAGE_SIZE")

MOST: Final = 4096
"""Processes that are looked at."""

OWN_TIMES: Final = slice(11, 15)
"""Fields 14 to 17 of ``stat``, counted from behind the name: in user and kernel mode, its own and those of children it reaped.

The sum of the four over a whole tree only grows, since whoever ends is reaped within it.
"""

RESIDENT: Final = 21


@dataclass(frozen=True, slots=True)
class Consumption:
    """``cpu``: seconds since the tree began; ``memory``: resident bytes, where what is shared counts for each that shares it."""

    cpu: float
    memory: int


def consumption(root: int, proc: Path = Path("/proc")) -> Consumption | None:
    """Of the process ``root`` and all below it. None where nobody can say."""
    cpu = memory = 0
    found = False
    for pid in _tree(root, proc):
        try:
            fields = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended just now
        cpu += sum(int(ticks) for ticks in fields[OWN_TIMES])
        memory += int(fields[RESIDENT])
        found = True
    return Consumption(cpu / TICK, memory * PAGE) if found else None


def _tree(root: int, proc: Path) -> Iterator[int]:
    waiting, seen = [root], {root}
    while waiting and len(seen) <= MOST:
        pid = waiting.pop()
        yield pid
        for task in _entries(proc / str(pid) / "task"):
            try:
                below = (task / "children").read_text().split()
            except OSError:
                continue
            fresh = {int(child) for child in below} - seen
            seen |= fresh
            waiting.extend(fresh)


def _entries(place: Path) -> list[Path]:
    try:
        return list(place.iterdir())
    except OSError:
        return []
