from __future__ import annotations

import socket
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from processes import free_ports
from starling.config.doctor import (
    ONNXRUNTIME,
    PYTHON,
    Check,
    Status,
    check_clock,
    check_cpu,
    check_memory,
    check_microphone,
    check_names,
    check_onnxruntime,
    check_open_files,
    check_port,
    check_processes,
    check_python,
    check_terminal,
    run_checks,
    verdict,
)
from starling.config.groups.edge import Server
from starling.config.groups.platform import Processes
from starling.config.groups.recognition import AudioLog
from starling.config.machine import Machine
from starling.config.settings import Settings

GIB = 1 << 30

GOOD = Machine(
    python=(3, 12, 1),
    architecture="x86_64",
    onnxruntime="1.23.2",
    cpus=2,
    cpu_quota=None,
    cpu_features=frozenset({"sse2", "avx2", "avx512_vnni"}),
    memory=8 * GIB,
    memory_limit=None,
    open_files=1024,
    tick=1e-9,
    year=2026,
    sounddevice=True,
    portaudio=True,
    terminal=True,
    encoding="utf-8",
)


def server(**changes: Any) -> Settings:
    return Settings(server=Server(**changes))


def test_a_good_machine_passes_everything() -> None:
    checks = run_checks(server(port=0), machine=GOOD)
    assert [check for check in checks if check.status is not Status.OK] == []
    assert all(check.detail and not check.remedy for check in checks)
    assert len({check.name for check in checks}) == len(checks)


@pytest.mark.parametrize("version", [(3, 10, 9), (3, 14, 0)])
def test_python_too_old_or_too_new(version: tuple[int, int, int]) -> None:
    assert check_python(replace(GOOD, python=version)).status is Status.FAIL


def test_it_asks_for_what_the_project_asks_for() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lowest, first_unknown = (".".join(map(str, version)) for version in PYTHON)
    assert project["requires-python"] == f">={lowest},<{first_unknown}"
    assert f"onnxruntime=={ONNXRUNTIME}" in project["dependencies"]


def test_onnxruntime() -> None:
    assert check_onnxruntime(replace(GOOD, onnxruntime=None)).status is Status.FAIL
    other = check_onnxruntime(replace(GOOD, onnxruntime="1.24.0"))
    assert (other.status, other.remedy) == (Status.WARN, "pip install onnxruntime==1.23.2")


def test_cpu() -> None:
    assert check_cpu(GOOD).detail == "2 cores, x86_64 avx2 avx512_vnni"
    assert check_cpu(replace(GOOD, cpus=1, cpu_quota=1.5)).detail.startswith("1 core, quota 1.5,")
    assert check_cpu(replace(GOOD, cpu_quota=0.5)).status is Status.WARN
    assert check_cpu(replace(GOOD, cpu_features=frozenset({"sse2"}))).status is Status.WARN
    assert check_cpu(replace(GOOD, cpu_features=frozenset())).status is Status.OK, "unknown features are no reason to warn"
    assert check_cpu(replace(GOOD, architecture="aarch64", cpu_features=frozenset({"asimd"}))).status is Status.OK


def test_memory_counts_what_sessions_may_hold() -> None:
    settings = Settings(server=Server(max_sessions=1000), audio_log=AudioLog(max_lead_seconds=60))
    assert check_memory(settings, replace(GOOD, memory=4 * GIB)).status is Status.OK
    assert check_memory(settings, replace(GOOD, memory=2 * GIB)).status is Status.WARN
    limited = check_memory(settings, replace(GOOD, memory_limit=GIB))
    assert (limited.status, limited.detail.startswith("1024 MiB by the container's limit")) == (Status.WARN, True)


def test_open_files() -> None:
    assert check_open_files(server(max_sessions=960), GOOD).status is Status.OK
    short = check_open_files(server(max_sessions=961), GOOD)
    assert (short.status, "ulimit -n 1025" in short.remedy) == (Status.FAIL, True)
    assert check_open_files(server(max_sessions=100_000), replace(GOOD, open_files=None)).status is Status.OK


def test_clock() -> None:
    assert check_clock(GOOD).detail == "fine enough for latencies, year 2026"
    coarse = check_clock(replace(GOOD, tick=0.0156))
    assert (coarse.status, coarse.detail) == (Status.WARN, "ticks only every 15.6 ms")
    assert check_clock(replace(GOOD, year=1970)).status is Status.WARN


def test_a_taken_port_is_a_failure() -> None:
    [port] = free_ports(1)
    with socket.create_server(("127.0.0.1", port)):
        taken = check_port(server(port=port))
        assert (taken.status, taken.detail) == (Status.FAIL, f"127.0.0.1:{port}: Address already in use")
    assert check_port(server(port=port)).status is Status.OK


def test_a_host_that_is_not_here() -> None:
    assert check_port(server(host="192.0.2.1", port=8000)).status is Status.FAIL


@pytest.mark.parametrize(
    ("host", "names", "status"),
    [
        ("127.0.0.1", (), Status.OK),
        ("::1", (), Status.OK),
        ("localhost", (), Status.OK),
        ("0.0.0.0", ("captions.example",), Status.OK),
        ("0.0.0.0", (), Status.WARN),
        ("captions.example", (), Status.WARN),
    ],
)
def test_names(host: str, names: tuple[str, ...], status: Status) -> None:
    assert check_names(server(host=host, allowed_hosts=names)).status is status


def test_terminal() -> None:
    assert check_terminal(replace(GOOD, encoding="ascii")).status is Status.WARN
    assert check_terminal(replace(GOOD, terminal=False, encoding="ascii")).status is Status.OK
    assert check_terminal(replace(GOOD, encoding="UTF8")).status is Status.OK


def test_microphone() -> None:
    assert "sounddevice" in check_microphone(replace(GOOD, sounddevice=False)).remedy
    assert "libportaudio2" in check_microphone(replace(GOOD, portaudio=False)).remedy


def test_checks_from_elsewhere_come_last() -> None:
    found = Check("weights", Status.FAIL, "expected weights, found none", "reinstall"), Check("vad", Status.OK, "Silero v6")
    assert run_checks(server(port=0), machine=GOOD, more=[lambda: found[0], lambda: found[1]])[-2:] == [*found]


@pytest.mark.parametrize(
    ("statuses", "says"),
    [
        ("ok ok", "ready"),
        ("ok warn ok", "ready, 1 warning"),
        ("warn warn", "ready, 2 warnings"),
        ("fail warn fail", "not ready: check 0, check 2"),
    ],
)
def test_the_verdict_is_one_line(statuses: str, says: str) -> None:
    checks = [Check(f"check {number}", Status(status), "") for number, status in enumerate(statuses.split())]
    assert verdict(checks) == says


def test_processes() -> None:
    assert check_processes(Settings(), GOOD).detail == "a gateway and 2 recognizers, each on a core of its own"
    assert check_processes(Settings(), replace(GOOD, cpu_quota=1.5)).detail.startswith("a gateway and 1 recognizer,")
    assert check_processes(Settings(processes=Processes(workers=0)), GOOD).detail == "one process for everything"
    crowded = check_processes(Settings(processes=Processes(workers=3)), GOOD)
    assert (crowded.status, crowded.detail) == (
        Status.WARN,
        "a gateway and 3 recognizers, as processes.workers says, for 2 cores",
    )
    assert "lower processes.workers to 2" in crowded.remedy
