"""What can be known about this machine without changing anything on it."""

from __future__ import annotations

import ctypes.util
import importlib.metadata
import importlib.util
import os
import platform
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

UNLIMITED_V1: Final = 1 << 60
"""cgroup v1 writes a number about 2**63 for no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Facts, as the doctor judges them.

    ``cpus``: cores this process may run on. ``cpu_quota``: cores it may use at once by its cgroup, or None. ``cpu_features``: the
    processor's flags, empty if unknown. ``memory``, ``memory_limit``: bytes of the machine, and of the cgroup or None.
    ``open_files``: the soft limit, or None for no limit. ``tick``: seconds between values of the monotonic clock. ``year``: the
    system's date. ``sounddevice``, ``portaudio``: what reads microphones is there. ``encoding``: of stdout.
    """

    python: tuple[int, int, int]
    architecture: str
    onnxruntime: str | None
    cpus: int
    cpu_quota: float | None
    cpu_features: frozenset[str]
    memory: int
    memory_limit: int | None
    open_files: int | None
    tick: float
    year: int
    sounddevice: bool
    portaudio: bool
    terminal: bool
    encoding: str


def probe(root: Path = Path("/")) -> Machine:
    """The facts of this machine. ``root``: where ``proc`` and ``sys`` are mounted."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Machine(
        python=sys.version_info[:3],
        architecture=platform.machine(),
        onnxruntime=_version("onnxruntime"),
        cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        cpu_quota=cpu_quota(root),
        cpu_features=cpu_features(root),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        memory_limit=memory_limit(root),
        open_files=None if soft == resource.RLIM_INFINITY else soft,
        tick=time.get_clock_info("monotonic").resolution,
        year=time.gmtime().tm_year,
        sounddevice=importlib.util.find_spec("sounddevice") is not None,
        portaudio=ctypes.util.find_library("portaudio") is not None,
        terminal=sys.stdout.isatty(),
        encoding=sys.stdout.encoding,
    )


def cpu_features(root: Path) -> frozenset[str]:
    """Flags of the first processor: ``flags`` on x86, ``Features`` on ARM."""
    for line in _text(root / "proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in {"flags", "Features"}:
            return frozenset(value.split())
    return frozenset()


def memory_limit(root: Path) -> int | None:
    """The tightest memory limit of the process's cgroup and those above it, in bytes."""
    found = [_text(folder / "memory.max") for folder in _cgroups(root)]
    found.append(_text(root / "sys/fs/cgroup/memory/memory.limit_in_bytes"))
    limits = [int(text) for text in found if text.strip().isdigit()]
    return min((limit for limit in limits if limit < UNLIMITED_V1), default=None)


def cpu_quota(root: Path) -> float | None:
    """The tightest CPU quota of the process's cgroup and those above it, in cores."""
    found = [_text(folder / "cpu.max") for folder in _cgroups(root)]
    v1 = root / "sys/fs/cgroup/cpu"
    found.append(f"{_text(v1 / 'cpu.cfs_quota_us')} {_text(v1 / 'cpu.cfs_period_us')}")
    quotas = [text.split() for text in found]
    return min((int(q[0]) / int(q[1]) for q in quotas if len(q) == 2 and q[0].isdigit() and int(q[1])), default=None)  # noqa: PLR2004


def _cgroups(root: Path) -> Iterator[Path]:
    """Folders of the process's cgroup (version 2), from its own up to the mount.

    https://docs.kernel.org/admin-guide/cgroup-v2.html
    """
    mount = root / "sys/fs/cgroup"
    line = next((line for line in _text(root / "proc/self/cgroup").splitlines() if line.startswith("0::")), "0::/")
    own = mount / line.removeprefix("0::").lstrip("/")
    for folder in (own, *own.parents):
        yield folder
        if folder == mount:
            return


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
