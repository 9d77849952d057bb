"""How long threads ran and waited for a core, as the kernel counts it (schedstat in proc(5), Linux with CONFIG_SCHED_INFO)."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

TASKS: Final = Path("/proc/self/task")
OWN: Final = Path("/proc/thread-self/schedstat")
MOST: Final = 128
"""Bytes of such a file: it holds three numbers."""

NANO: Final = 1e-9


class KernelQueue:
    """Of this process. Where the kernel does not count, nobody ever waited."""

    def __init__(self) -> None:
        self._own = threading.local()

    def threads(self) -> Mapping[int, tuple[float, float]]:
        """Seconds that each thread ran and waited since it began, by its number."""
        found = {}
        with suppress(OSError):
            for task in TASKS.iterdir():
                with suppress(OSError, ValueError):  # it ended meanwhile
                    ran, waited, _ = (task / "schedstat").read_bytes().split()
                    found[int(task.name)] = int(ran) * NANO, int(waited) * NANO
        return found

    def waited(self) -> float:
        """Seconds that the calling thread has waited to run since it began."""
        try:
            return int(os.pread(self._opened().fd, MOST, 0).split()[1]) * NANO
        except (OSError, IndexError):
            return 0.0

    def _opened(self) -> _Opened:
        """Kept by each thread that asks: opening costs more than reading, a hundred times a second."""
        opened: _Opened | None = getattr(self._own, "opened", None)
        if opened is None:
            opened = self._own.opened = _Opened(OWN)
        return opened


class _Opened:
    """A file that is open for as long as the thread is there."""

    def __init__(self, path: Path) -> None:
        self.fd = -1
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
