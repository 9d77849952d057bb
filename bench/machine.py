"""What the numbers were measured on, and who else was using it."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One machine and one state of the code. ``commit`` ends in ``+`` where files under ``src`` were changed since."""

    date: str
    cpu: str
    cores: int
    memory_gb: float
    system: str
    python: str
    onnxruntime: str
    commit: str


async def describe() -> Machine:
    """The machine and the code as they are now."""
    facts = dict(_facts("/proc/cpuinfo"))
    memory = os.sysconf("SC_PHYS_PAGES") * PAGE
    changed = await _git("status", "--porcelain", "--untracked-files=no", "src")
    return Machine(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        cpu=facts.get("model name", platform.processor()),
        cores=os.cpu_count() or 1,
        memory_gb=round(memory / 2**30, 1),
        system=f"{platform.freedesktop_os_release().get('PRETTY_NAME', platform.system())}, Linux {platform.release()}",
        python=platform.python_version(),
        onnxruntime=version("onnxruntime"),
        commit=await _git("rev-parse", "--short", "HEAD") + ("+" if changed else ""),
    )


def as_text(machine: Machine) -> str:
    """One fact per line."""
    return "\n".join(f"{name}: {value}" for name, value in asdict(machine).items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """CPU in cores over some time. ``others``: used by neither the server nor the load generator, the time stolen from this
    virtual machine included. ``load``: the one-minute load averages before and after.
    """

    seconds: float
    server: float
    generator: float
    others: float
    load: tuple[float, float]


class Meter:
    """Counts CPU from its making on. ``server``: the process whose descendants count too, or None when it is out of reach."""

    def __init__(self, server: int | None, now: float) -> None:
        self._server = server
        self._began = now
        self._load = os.getloadavg()[0]
        self._from = self._read()

    def stop(self, now: float) -> Usage:
        """What was used until ``now``, on the clock of the constructor's ``now``."""
        seconds = now - self._began
        server, generator, machine = ((after - before) / seconds for before, after in zip(self._from, self._read(), strict=True))
        others = max(0.0, machine - server - generator)
        return Usage(seconds=seconds, server=server, generator=generator, others=others, load=(self._load, os.getloadavg()[0]))

    def _read(self) -> tuple[float, float, float]:
        return (cpu_seconds(self._server) if self._server else 0.0, sum(os.times()[:2]), machine_cpu_seconds())


def cpu_seconds(pid: int) -> float:
    """User and system CPU of ``pid`` and its descendants, those of children it waited for included (proc(5))."""
    return sum(sum(map(int, _stat(process)[11:15])) for process in family(pid)) / TICKS


def main_thread_seconds(pid: int) -> float:
    """User and system CPU of the first thread of ``pid``: the event loop, in a server."""
    return sum(map(int, _fields(Path(f"/proc/{pid}/task/{pid}/stat"))[11:13])) / TICKS


def resident_mb(pid: int) -> float:
    """Resident memory of ``pid`` and its descendants in MiB; pages they share count in each."""
    return sum(int(_stat(process)[21]) for process in family(pid)) * PAGE / 2**20


def family(pid: int) -> Iterator[int]:
    """``pid`` and its descendants that run now."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from family(int(child))


def machine_cpu_seconds() -> float:
    """CPU used on all cores since the start: all but idle and waiting for I/O, guests counted once (proc(5), /proc/stat)."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split(maxsplit=9)[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS


@contextmanager
def pinned(cores: Iterable[int]) -> Iterator[None]:
    """Run on ``cores`` only, together with all processes started meanwhile."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _stat(pid: int) -> list[str]:
    return _fields(Path(f"/proc/{pid}/stat"))


def _fields(stat: Path) -> list[str]:
    """Those after the name, which may hold blanks: the first one is field 3 of proc(5)."""
    return stat.read_text().rpartition(")")[2].split()


def _facts(path: str) -> Iterator[tuple[str, str]]:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        yield key.strip(), value.strip()


async def _git(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "git", "-C", str(ROOT), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    out, _ = await process.communicate()
    return out.decode().strip()
