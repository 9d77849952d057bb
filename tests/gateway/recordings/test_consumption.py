"""What a tree of processes uses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from starling.gateway.recordings.consumption import PAGE, TICK, consumption

BURN = "import os, time\nwhile time.process_time() < 0.2: pass\nprint('ready', flush=True)\ninput()"


def test_a_tree_keeps_what_its_children_used_after_they_ended() -> None:
    before = consumption(os.getpid())
    with subprocess.Popen([sys.executable, "-c", BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:  # noqa: S603 - our own
        assert child.stdout is not None
        child.stdout.readline()
        alive = consumption(os.getpid())
        child.communicate(b"\n")
    after = consumption(os.getpid())
    assert before is not None
    assert alive is not None
    assert after is not None
    assert alive.cpu - before.cpu >= 0.15
    assert after.cpu >= alive.cpu - 0.05
    assert alive.memory > after.memory > 1 << 20


def process(proc: Path, pid: int, ticks: int, pages: int, *children: int, name: str = "a") -> None:
    (proc / str(pid) / "task" / str(pid)).mkdir(parents=True)
    (proc / str(pid) / "task" / str(pid) / "children").write_text(" ".join(map(str, children)))
    fields = ["S", "1", *["0"] * 9, str(ticks), "0", "0", "0", *["0"] * 6, str(pages), "0"]
    (proc / str(pid) / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}\n")


def test_what_processes_share_is_counted_once(tmp_path: Path) -> None:
    process(tmp_path, 1, 1, 300, 2)
    process(tmp_path, 2, 1, 300)
    process(tmp_path, 3, 1, 300)
    (tmp_path / "1" / "smaps_rollup").write_text("00400000-7fff [rollup]\nRss:  1200 kB\nPss:  700 kB\nPss_Anon:  1 kB\n")
    found = consumption(1, tmp_path)  # of 2 the kernel does not say it
    assert found is not None
    assert found.memory == (700 << 10) + 300 * PAGE


def test_names_with_brackets_and_circles_do_no_harm(tmp_path: Path) -> None:
    process(tmp_path, 1, 100, 3, 2, 3, name="evil) S 1 2 3")
    process(tmp_path, 2, 50, 4, 1)
    found = consumption(1, tmp_path)  # 3 has ended meanwhile
    assert found is not None
    assert (found.cpu, found.memory) == (150 / TICK, 7 * PAGE)
    assert consumption(9, tmp_path) is None
