"""What others left to this process is taken away; what somebody waits for is not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from starling.supervisor.orphans import buried

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def ended_child() -> int:
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", ""], os.environ)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid


def test_a_dead_child_that_nobody_waits_for_is_reaped_at_the_second_look() -> None:
    pid = ended_child()
    first = buried(frozenset())
    assert pid in {dead for dead, _ in first}
    assert pid not in {dead for dead, _ in buried(first)}
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, 0)


def test_a_process_of_the_same_number_as_one_that_was_dead_is_somebody_elses() -> None:
    pid = ended_child()
    assert pid in {dead for dead, _ in buried(frozenset({(pid, "long ago")}))}
    assert os.waitpid(pid, 0)[0] == pid


def test_living_children_are_left_alone() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        first = buried(frozenset())
        assert child.pid not in {dead for dead, _ in first}
        child.communicate(b"\n")
    assert child.returncode == 0
