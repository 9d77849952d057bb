"""What the kernel says of threads that run and wait."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from starling.telemetry.run_queue import KernelQueue

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel counts on Linux only")


def compute(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_a_thread_that_runs_is_seen_to() -> None:
    queue, own = KernelQueue(), threading.get_native_id()
    before = queue.threads()[own]
    compute(0.1)
    ran, waited = queue.threads()[own]
    assert ran - before[0] > 0.09
    assert waited >= before[1]


def test_a_thread_whose_core_another_wants_too_waits_for_it() -> None:
    queue, core = KernelQueue(), min(os.sched_getaffinity(0))
    waited: list[float] = []

    def compete() -> None:
        os.sched_setaffinity(0, {core})  # of this thread
        before = queue.waited()
        until = time.thread_time() + 20
        while queue.waited() - before < 0.05 and time.thread_time() < until:
            pass
        waited.append(queue.waited() - before)

    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        os.sched_setaffinity(other.pid, {core})
        try:
            thread = threading.Thread(target=compete)
            thread.start()
            thread.join()
        finally:
            other.kill()
    assert waited[0] >= 0.05


def test_where_the_kernel_does_not_count_nobody_waits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("starling.telemetry.run_queue.TASKS", tmp_path)
    monkeypatch.setattr("starling.telemetry.run_queue.OWN", tmp_path / "schedstat")
    assert KernelQueue().threads() == {}
    assert KernelQueue().waited() == 0
