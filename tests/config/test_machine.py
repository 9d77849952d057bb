from __future__ import annotations

from pathlib import Path

import pytest

from starling.config.machine import cpu_features, cpu_quota, memory_limit, probe


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def test_this_machine_can_be_probed() -> None:
    machine = probe()
    assert machine.cpus >= 1
    assert machine.memory > 0
    assert machine.onnxruntime is not None
    assert machine.tick < 1


def test_a_machine_without_proc_and_sys_is_unlimited(tmp_path: Path) -> None:
    assert (cpu_features(tmp_path), memory_limit(tmp_path), cpu_quota(tmp_path)) == (frozenset(), None, None)


def test_the_tightest_limit_on_the_way_up_counts(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "proc/self/cgroup": "1:name=systemd:/x\n0::/pod/container\n",
            "sys/fs/cgroup/pod/container/memory.max": "max\n",
            "sys/fs/cgroup/pod/memory.max": "536870912\n",
            "sys/fs/cgroup/memory.max": "1073741824\n",
            "sys/fs/cgroup/pod/container/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/pod/cpu.max": "max 100000\n",
        },
    )
    assert memory_limit(tmp_path) == 512 << 20
    assert cpu_quota(tmp_path) == 1.5


@pytest.mark.parametrize(("written", "limit"), [("9223372036854771712", None), ("268435456", 256 << 20)])
def test_cgroup_v1(written: str, limit: int | None, tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{written}\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n" if limit is None else "50000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        },
    )
    assert memory_limit(tmp_path) == limit
    assert cpu_quota(tmp_path) == (None if limit is None else 0.5)


@pytest.mark.parametrize("line", ["flags\t\t: fpu avx2", "Features\t: fpu avx2"])
def test_features_of_x86_and_arm(line: str, tmp_path: Path) -> None:
    write(tmp_path, {"proc/cpuinfo": f"processor\t: 0\n{line}\n\nprocessor\t: 1\n{line} more\n"})
    assert cpu_features(tmp_path) == {"fpu", "avx2"}
