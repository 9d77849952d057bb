"""Will Starling run well here? Each check says what was found and, where something is wrong, what to do.

Checks judge facts (``Machine``) against ``Settings``; nothing here prints. What needs the engine or the detectors is handed in.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Final

from starling.config.machine import Machine, probe
from starling.config.neighbour import running_version
from starling.config.settings import Settings
from starling.config.sizing import WORKER_MEMORY, fitting
from starling.core.audio import SAMPLE_RATE

ONNXRUNTIME: Final = "1.23.2"
"""The version whose int8 arithmetic the accuracy was measured with; others give other texts."""

PYTHON: Final = ((3, 11), (3, 14))
"""The first version that works, and the first that is not known to."""

MIB: Final = 1 << 20

MEMORY: Final = 512 * MIB
"""Bytes for everything but recognizers of their own and what sessions hold."""

FILES: Final = 64
"""Open files besides those of clients."""

COARSE: Final = 0.005
"""Seconds: a clock that ticks slower blurs latencies of 10 ms."""

BUILT: Final = 2025
"""A calendar before this year is wrong."""


class Status(StrEnum):
    """``FAIL``: Starling will not work. ``WARN``: something will be worse than it could be."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. ``remedy`` is empty if there is nothing to do."""

    name: str
    status: Status
    detail: str
    remedy: str = ""


def run_checks(settings: Settings, *, machine: Machine | None = None, more: Iterable[Callable[[], Check]] = ()) -> list[Check]:
    """All checks, and then ``more`` ones. ``machine``: this one if None. Binds the server's port for a moment."""
    machine = machine or probe()
    return [
        check_python(machine),
        check_onnxruntime(machine),
        check_cpu(machine),
        check_processes(settings, machine),
        check_memory(settings, machine),
        check_open_files(settings, machine),
        check_clock(machine),
        check_port(settings),
        check_names(settings),
        check_terminal(machine),
        check_microphone(machine),
        *(produce() for produce in more),
    ]


def verdict(checks: Iterable[Check]) -> str:
    """All ``checks`` in a line: ``ready``, ``ready, 1 warning`` or ``not ready: NAMES`` of those that failed."""
    found = [(check.status, check.name) for check in checks]
    if failed := [name for status, name in found if status is Status.FAIL]:
        return f"not ready: {', '.join(failed)}"
    warnings = sum(status is Status.WARN for status, _ in found)
    return "ready" + (f", {warnings} warning{'s' * (warnings != 1)}" if warnings else "")


def check_python(machine: Machine) -> Check:
    """The interpreter is one that Starling is tested with."""
    detail = ".".join(map(str, machine.python))
    if PYTHON[0] <= machine.python[:2] < PYTHON[1]:
        return Check("python", Status.OK, detail)
    return Check("python", Status.FAIL, detail, "install Python 3.11, 3.12 or 3.13")


def check_onnxruntime(machine: Machine) -> Check:
    """The model runs on the runtime that it was measured on."""
    remedy = f"pip install onnxruntime=={ONNXRUNTIME}"
    match machine.onnxruntime:
        case None:
            return Check("onnxruntime", Status.FAIL, "not installed", remedy)
        case version if version != ONNXRUNTIME:
            return Check("onnxruntime", Status.WARN, f"{version}; texts and speed were measured with {ONNXRUNTIME}", remedy)
        case version:
            return Check("onnxruntime", Status.OK, version)


def check_cpu(machine: Machine) -> Check:
    """There is a whole core, and it has the instructions that int8 models live on."""
    cores = f"{machine.cpus} core{'s' * (machine.cpus != 1)}"
    quota = f", quota {machine.cpu_quota:g}" if machine.cpu_quota is not None else ""
    fast = sorted({"avx2", "avx512_vnni", "avx_vnni", "asimddp", "i8mm"} & machine.cpu_features)
    detail = f"{cores}{quota}, {machine.architecture} {' '.join(fast)}".rstrip()
    if machine.cpu_quota is not None and machine.cpu_quota < 1:
        return Check("cpu", Status.WARN, detail, "give the container at least one whole core: less makes results late in bursts")
    if machine.architecture in {"x86_64", "AMD64"} and machine.cpu_features and "avx2" not in machine.cpu_features:
        return Check("cpu", Status.WARN, f"{detail} without AVX2", "use a processor with AVX2; others are slow")
    return Check("cpu", Status.OK, detail)


def check_processes(settings: Settings, machine: Machine) -> Check:
    """How many recognizers `serve` would start, and whether each has a core."""
    count, there = _recognizers(settings, machine), machine.cpus
    if count == 0:
        return Check("processes", Status.OK, "one process for everything")
    chosen = "" if settings.processes.workers is None else ", as processes.workers says"
    detail = f"a gateway and {count} recognizer{'s' * (count != 1)}{chosen}"
    if count > there:
        remedy = f"lower processes.workers to {there}: recognizers that share a core make each other late"
        return Check("processes", Status.WARN, f"{detail}, for {there} core{'s' * (there != 1)}", remedy)
    return Check("processes", Status.OK, f"{detail}, each on a core of its own" if settings.processes.pin else detail)


def _recognizers(settings: Settings, machine: Machine) -> int:
    return fitting(settings, machine.cpus, machine.cpu_quota, min(machine.memory, machine.memory_limit or machine.memory))


def check_memory(settings: Settings, machine: Machine) -> Check:
    """Each recognizer holds a model; a session holds at most its lead of audio, as 16-bit samples."""
    held = settings.server.max_sessions * settings.audio_log.max_lead_seconds * SAMPLE_RATE * 2
    need = MEMORY + _recognizers(settings, machine) * WORKER_MEMORY + round(held)
    there = min(machine.memory, machine.memory_limit or machine.memory)
    limit = "" if machine.memory_limit is None else " by the container's limit"
    detail = f"{there // MIB} MiB{limit}; {need // MIB} MiB at most are needed for {settings.server.max_sessions} sessions"
    if there >= need:
        return Check("memory", Status.OK, detail)
    return Check("memory", Status.WARN, detail, "lower server.max_sessions or audio_log.max_lead_seconds, or give more memory")


def check_open_files(settings: Settings, machine: Machine) -> Check:
    """Each client is an open file."""
    need = settings.server.max_sessions + FILES
    if machine.open_files is None:
        return Check("open files", Status.OK, "no limit")
    detail = f"limit {machine.open_files}; {need} are needed for {settings.server.max_sessions} sessions"
    if machine.open_files >= need:
        return Check("open files", Status.OK, detail)
    return Check("open files", Status.FAIL, detail, f"run `ulimit -n {need}` first, or lower server.max_sessions")


def check_clock(machine: Machine) -> Check:
    """Latencies can be measured, and log lines are dated."""
    detail = f"fine enough for latencies, year {machine.year}"
    if machine.tick > COARSE:
        coarse = f"ticks only every {machine.tick * 1000:.3g} ms"
        return Check("clock", Status.WARN, coarse, "latencies will be blurred; use a host with a finer clock")
    if machine.year < BUILT:
        return Check("clock", Status.WARN, detail, "set the date: times in the log will be wrong")
    return Check("clock", Status.OK, detail)


def check_port(settings: Settings) -> Check:
    """The server can listen where it is told to; tried out, as the server would."""
    host, port = settings.server.host, settings.server.port
    if port == 0:
        return Check("port", Status.OK, f"any free port of {host}")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE and (version := running_version(host, port)):
            found = f"{host}:{port}: Starling {version} serves here already"
            return Check("port", Status.WARN, found, "for one more, choose another with --port")
        return Check("port", Status.FAIL, f"{host}:{port}: {error.strerror}", "choose another with --port, or stop what uses it")
    return Check("port", Status.OK, f"{host}:{port} is free")


def check_names(settings: Settings) -> Check:
    """A server that others can reach needs to know the name they call it by."""
    host, names = settings.server.host, settings.server.allowed_hosts
    if names or host == "localhost" or (_is_address(host) and ip_address(host).is_loopback):
        return Check("names", Status.OK, ", ".join(["localhost", host, *names]))
    return Check(
        "names",
        Status.WARN,
        f"listens on {host}, but answers only to addresses and to localhost",
        "list the names that clients use in server.allowed_hosts",
    )


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def check_terminal(machine: Machine) -> Check:
    """Captions can be shown."""
    if not machine.terminal:
        return Check("terminal", Status.OK, "stdout is not a terminal: captions come as plain lines")
    if machine.encoding.lower().replace("-", "") != "utf8":
        return Check("terminal", Status.WARN, f"encoding {machine.encoding}", "set LANG=C.UTF-8, or captions may not print")
    return Check("terminal", Status.OK, machine.encoding)


def check_microphone(machine: Machine) -> Check:
    """`starling mic` has what it needs."""
    if not machine.sounddevice:
        return Check("microphone", Status.WARN, "no sounddevice; only `starling mic` needs it", "pip install sounddevice")
    if not machine.portaudio:
        return Check("microphone", Status.WARN, "no PortAudio; only `starling mic` needs it", "apt-get install libportaudio2")
    return Check("microphone", Status.OK, "sounddevice and PortAudio are there")
