"""What the numbers were measured on, and who else was using it."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
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
    virtual machine included. ``load``: the one-minute load averages before and after. ``roles``: the server's share by role.
    """

    seconds: float
    server: float
    generator: float
    others: float
    load: tuple[float, float]
    roles: dict[str, float] = field(default_factory=dict)


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
        after = self._read()
        used = {name: (then - self._from.get(name, 0.0)) / seconds for name, then in after.items()}
        generator, machine = used.pop(_GENERATOR), used.pop(_MACHINE)
        server = sum(used.values())
        return Usage(
            seconds=seconds,
            server=server,
            generator=generator,
            others=max(0.0, machine - server - generator),
            load=(self._load, os.getloadavg()[0]),
            roles=used,
        )

    def _read(self) -> dict[str, float]:
        ours = cpu_by_role(self._server) if self._server else {}
        return {**ours, _GENERATOR: sum(os.times()[:2]), _MACHINE: machine_cpu_seconds()}


_GENERATOR, _MACHINE = "-generator", "-machine"

ROLES = {"gateway_process": "gateway", "recognizer_process": "recognizers", "overhead_worker": "recognizers"}
"""What a process is, by a word of its command line; one that has none of these is the server, or its supervisor."""


def role_of(pid: int) -> str:
    """What ``pid`` does under a server."""
    command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    return next((role for word, role in ROLES.items() if word in command), "server")


def cpu_by_role(pid: int) -> dict[str, float]:
    """User and system CPU of ``pid`` and its descendants, those of children they waited for included (proc(5))."""
    found: dict[str, float] = {}
    for process in family(pid):
        used = sum(map(int, _stat(process)[11:15])) / TICKS
        found[role_of(process)] = found.get(role_of(process), 0.0) + used
    return found


def cpu_seconds(pid: int) -> float:
    """The same, all roles together."""
    return sum(cpu_by_role(pid).values())


def main_thread_seconds(pid: int) -> float:
    """User and system CPU of the first thread of ``pid``: the event loop, in a server."""
    return sum(map(int, _fields(Path(f"/proc/{pid}/task/{pid}/stat"))[11:13])) / TICKS


def memory_by_role(pid: int) -> dict[str, float]:
    """Resident memory of ``pid`` and its descendants in MiB. A page of several is shared out among them (proc(5), Pss)."""
    found: dict[str, float] = {}
    for process in family(pid):
        facts = dict(_facts(f"/proc/{process}/smaps_rollup"))
        found[role_of(process)] = found.get(role_of(process), 0.0) + int(facts["Pss"].split()[0]) / 1024
    return found


def resident_mb(pid: int) -> float:
    """The same, all roles together."""
    return sum(memory_by_role(pid).values())


def family(pid: int) -> Iterator[int]:
    """``pid`` and its descendants that run now."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from family(int(child))


def confine(pid: int, cores: Iterable[int]) -> None:
    """Keep every thread of ``pid``, and those they start from now on, to ``cores``."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


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
