"""What the kernel says of a process (proc(5))."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PAGE: Final = os.sysconf("SC_PAGE_SIZE")
TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Activity:
    """``stopped``: by a signal or a debugger. ``runnable``: a thread wants a core. ``computed``: seconds of CPU so far."""

    stopped: bool = False
    runnable: bool = False
    computed: float = 0.0


def memory_of(pid: int) -> int:
    """Bytes that are resident and its own: what it shares with others, files and the arena, is not counted. 0 if it is gone."""
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * PAGE


def activity_of(pid: int) -> Activity:
    """What it does now. Nothing, if it is gone."""
    states, ticks = "", 0
    for fields in _threads(pid):
        states += fields[0]
        ticks += int(fields[11]) + int(fields[12])
    return Activity(stopped=bool(states) and set(states) <= {"T", "t"}, runnable="R" in states, computed=ticks / TICKS)


def _threads(pid: int) -> Iterator[list[str]]:
    """For each thread what follows the name in its stat: the first field is its state, the twelfth and next its time."""
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                yield (thread / "stat").read_text().rpartition(")")[2].split()
