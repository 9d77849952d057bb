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
    """``cpu``: seconds since the tree began. ``memory``: resident bytes; of what several share each counts its part (PSS), where
    the kernel says so, and all of it elsewhere.
    """

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
        memory += _proportional(proc / str(pid)) or int(fields[RESIDENT]) * PAGE
        found = True
    return Consumption(cpu / TICK, memory) if found else None


def _proportional(process: Path) -> int | None:
    """Bytes; None where the kernel does not count them, or shows them to nobody else."""
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:")), None)


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
