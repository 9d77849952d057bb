"""Who is blamed for the end of a role that runs apart."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing

import pytest

from starling.app.attendant import LOOK, ROW, End, Judge, below, watch
from starling.core.ports import Work
from starling.supervisor.deaths import Cause
from starling.supervisor.options import SupervisorOptions
from starling.supervisor.processes import Activity
from starling.supervisor.sheets import InHand, Sheets

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are attended on Linux only")

OPTIONS = SupervisorOptions(workers=1, stuck_timeout=20.0, memory_limit=1000)


class Rig:
    """A process that can be anything."""

    def __init__(self) -> None:
        self.stopped = False
        self.memory = 0
        self.now = 100.0
        self.judge = Judge(OPTIONS, self.now, activity=lambda _: Activity(stopped=self.stopped), memory=lambda _: self.memory)

    def after(self, seconds: float, in_hand: Mapping[Work, InHand]) -> Cause | None:
        """The first verdict within so much time, in which it is looked at as often as ever."""
        until = self.now + seconds
        while self.now < until:
            self.now += LOOK
            if verdict := self.judge.look(1, in_hand, self.now):
                return verdict
        return None


def test_a_call_that_never_ends_is_to_blame() -> None:
    rig = Rig()
    calls = {Work.LISTEN: InHand(100.0, (1,)), Work.DECODE: InHand(119.0, (2,))}
    assert rig.after(20.0, calls) is None
    assert rig.after(1.0, calls) is Cause.STUCK
    assert rig.judge.blamed(Cause.STUCK, calls) == {1, 2}


def test_a_recognizer_is_ended_before_its_control_group_is_full() -> None:
    """The kernel would end its attendant with it, and nobody would be blamed."""
    assert below(1000, None) == 1000
    assert below(1000, 100_000) == 1000, "as chosen"
    assert below(1000, 1000) < 1000
    assert below(1000, 400) < 400


def test_time_in_which_it_stood_still_does_not_count() -> None:
    rig, calls = Rig(), {Work.DECODE: InHand(100.0, (2,))}
    rig.stopped = True
    assert rig.after(60.0, calls) is None
    rig.stopped = False
    assert rig.after(19.0, calls) is None
    rig.now += 60.0  # so did the machine
    assert rig.after(19.0, calls) is None
    assert rig.after(2.0, calls) is Cause.STUCK


def test_memory_is_blamed_on_calls_that_began_before_it_was_too_much() -> None:
    rig = Rig()
    assert rig.after(1.0, {}) is None
    rig.memory = 1001
    assert rig.after(1.0, {}) is Cause.MEMORY
    calls = {Work.LISTEN: InHand(100.5, (1,)), Work.DECODE: InHand(101.4, (2,))}
    assert rig.judge.blamed(Cause.MEMORY, calls) == {1}


@pytest.mark.parametrize("cause", [Cause.KILLED, Cause.STOPPED, Cause.REPLACED])
def test_what_others_did_blames_nobody(cause: Cause) -> None:
    assert Rig().judge.blamed(cause, {Work.DECODE: InHand(100.0, (2,))}) == frozenset()


@pytest.mark.parametrize(
    ("ending", "cause", "blamed", "exit_status"),
    [
        ("import os; os.kill(os.getpid(), 11)", Cause.CRASH, {7, 8}, 139),
        ("import os; os.kill(os.getpid(), 9)", Cause.KILLED, set(), 137),
        ("raise SystemExit(3)", Cause.EXIT, {7, 8}, 3),
        ("import time; time.sleep(600)", Cause.STUCK, {7, 8}, 137),
    ],
)
def test_a_child_is_watched_until_it_ends(ending: str, cause: Cause, blamed: set[int], exit_status: int) -> None:
    options = SupervisorOptions(workers=1, hang_timeout=0.1, stuck_timeout=0.1 if cause is Cause.STUCK else 600.0)
    with closing(Sheets.create(1)) as sheets, subprocess.Popen([sys.executable, "-c", ending]) as child:  # noqa: S603 - our own
        sheets.begin(ROW, Work.DECODE, [7, 8])
        end = watch(child.pid, sheets, Judge(options, time.monotonic()))
        child.returncode = end.status
    assert end == End(end.status, cause, frozenset(blamed))
    assert end.exit_status == exit_status
