from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from patience import PATIENCE
from starling.supervisor.launch import receive_launch
from starling.supervisor.processes import activity_of, memory_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def eventually(true: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_memory_of_this_process_grows_by_what_it_takes() -> None:
    # a mapping of its own: what is allocated may come from heap that other tests took and gave back, and is resident already
    with mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as taken:
        before = memory_of(os.getpid())
        for page in range(0, len(taken), mmap.PAGESIZE):
            taken[page] = 1
        assert memory_of(os.getpid()) - before >= 60 << 20


def test_a_stopped_process_is_seen_to_be() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as child:
        try:
            assert not activity_of(child.pid).stopped
            child.send_signal(signal.SIGSTOP)
            eventually(lambda: activity_of(child.pid).stopped)
        finally:
            child.kill()


def test_a_busy_process_is_runnable() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as child:
        try:
            eventually(lambda: activity_of(child.pid).runnable)
        finally:
            child.kill()


def test_a_process_that_is_gone_has_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    assert memory_of(child.pid) == 0
    assert activity_of(child.pid).computed == 0


def test_a_role_started_by_hand_says_which_command_to_use() -> None:
    code = f"from {receive_launch.__module__} import receive_launch; receive_launch()"
    done = subprocess.run([sys.executable, "-c", code], input=b"", capture_output=True, check=False)  # noqa: S603 - our own
    assert done.returncode == 1
    assert b"starling serve" in done.stderr
