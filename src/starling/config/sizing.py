"""How many recognizers a machine has room for."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from starling.config.machine import cpu_quota, memory_limit
from starling.config.settings import Settings

WORKER_MEMORY: Final = 450 << 20
"""Bytes that a recognizer takes at most, with its model and sessions."""


def cores() -> list[int]:
    """The cores that this process may run on, by their numbers."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))  # pragma: no cover - not on Linux


def workers(settings: Settings, root: Path = Path("/")) -> int:
    """How many recognizers to start. ``root``: where ``proc`` and ``sys`` are mounted."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return fitting(settings, len(cores()), cpu_quota(root), min(memory, memory_limit(root) or memory))


def fitting(settings: Settings, cpus: int, quota: float | None, memory: int) -> int:
    """As many as the settings say; else one per whole core of ``cpus`` that ``quota`` allows, at least one, if ``memory`` (bytes)
    takes them and their gateway. 0 where there can be no processes that share memory.
    """
    if settings.processes.workers is not None:
        return settings.processes.workers
    if sys.platform != "linux":  # pragma: no cover
        return 0
    by_cpu = cpus if quota is None else min(cpus, int(quota))
    return max(1, min(by_cpu, memory // WORKER_MEMORY - 1))
