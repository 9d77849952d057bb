"""A process of its own is confined, since nobody gets out of it again."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import os
from starling.transcriber.confinement import Confinement, stand_back
stand_back()
Confinement(1 << 30, idle_only={idle_only}).begin(urgent={urgent})
print(os.sched_getscheduler(0) == os.SCHED_IDLE, os.nice(0))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no SCHED_IDLE")
@pytest.mark.parametrize(
    ("idle_only", "urgent", "found"),
    [(True, False, "True 19"), (True, True, "False 10"), (False, False, "False 10")],
)
def test_only_what_nobody_waits_for_is_left_to_idle_time(idle_only: bool, urgent: bool, found: str) -> None:  # noqa: FBT001
    script = SCRIPT.format(idle_only=idle_only, urgent=urgent)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603
    idle, nice = ended.stdout.split()
    wanted_idle, wanted_nice = found.split()
    assert idle == wanted_idle
    assert int(nice) >= int(wanted_nice), "the tests themselves may be nice"
