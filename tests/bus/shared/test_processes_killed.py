"""Real processes, killed with SIGKILL while they write: nothing is lost, nothing comes twice, and nothing is left of them."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

from bus.shared.crash_roles import LENGTH, SEGMENTS, SESSIONS, text
from bus.shared.rig import arena
from patience import PATIENCE
from starling.bus.shared.arena import Arena
from starling.bus.shared.custody import Custody
from starling.bus.shared.layout import Hold
from starling.bus.shared.results_reader import kept_events, results_end
from starling.core.transcript import SessionDone, SessionEvent, SpeechStarted, Transcript

ROOT: Final = Path(__file__).parents[3]
"""Seconds for all of it on a machine that does much else."""


class Platform:
    """A gateway, two workers, and a supervisor without a policy of its own."""

    def __init__(self, shared: Arena) -> None:
        self.arena = shared
        self.custody = Custody(shared)
        self.children = {role: self._start(*role) for role in (("gateway", 0), ("worker", 0), ("worker", 1))}

    def _start(self, role: str, row: int) -> subprocess.Popen[bytes]:
        environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'tests'}"}
        command = [sys.executable, "-m", "bus.shared.crash_roles", role, str(row), str(self.arena.fd)]
        return subprocess.Popen(command, pass_fds=self.arena.fds, env=environment)  # noqa: S603 - our own

    def kill(self, role: tuple[str, int]) -> None:
        """Kill a process, reap it, let others have its sessions, and start it anew."""
        self.children[role].send_signal(signal.SIGKILL)
        self.children[role].wait()
        if role[0] == "worker":
            self.custody.reclaim(role[1])
        self.children[role] = self._start(*role)

    def turn(self, chance: random.Random) -> None:
        """Give away what nobody has, once somebody rings or a little later."""
        select.select([self.arena.supervisor_bell.fd], [], [], 0.02)
        self.arena.supervisor_bell.silence()
        for slot in self.custody.waiting():
            self.custody.assign(slot, chance.randrange(2))

    def stop(self) -> None:
        for child in self.children.values():
            child.kill()
            child.wait()


def said(shared: Arena) -> dict[str, list[SessionEvent]]:
    found: dict[str, list[SessionEvent]] = {}
    for session_id in SESSIONS:
        slot = shared.find(session_id)
        if slot is not None and shared.holds(slot) & Hold.RESULTS:
            found[session_id] = list(kept_events(shared, slot, results_end(shared, slot, shared.generation(slot))))
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_sessions_say_the_same_whoever_is_killed(seed: int) -> None:
    chance = random.Random(seed)
    shared = arena(slots=4, max_lead=20_000)
    platform = Platform(shared)
    deadline, kills, due = time.monotonic() + PATIENCE, 0, time.monotonic() + 0.3
    try:
        while not all(events and isinstance(events[-1], SessionDone) for events in [said(shared).get(s) for s in SESSIONS]):
            assert time.monotonic() < deadline, f"after {kills} kills: {said(shared)}"
            platform.turn(chance)
            if kills < 8 and time.monotonic() > due:
                platform.kill(chance.choice(list(platform.children)))
                kills, due = kills + 1, time.monotonic() + chance.uniform(0.05, 0.4)
    finally:
        platform.stop()
    for session_id, events in said(shared).items():
        finals = [(e.segment_id, e.text) for e in events if isinstance(e, Transcript)]
        assert finals == [(segment, text(session_id, segment)) for segment in range(SEGMENTS)]
        started = [e.segment_id for e in events if isinstance(e, SpeechStarted)]
        assert started == sorted(set(started))
        assert events[-1] == SessionDone(session_id, LENGTH, SEGMENTS)
    assert kills >= 3
