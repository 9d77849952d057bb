from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from starling.bus.shared.arena import Arena
from starling.bus.shared.layout import Geometry, Hold, ProcessColumn, ProcessState, SlotColumn
from starling.bus.shared.memory import Memory
from starling.bus.shared.ownership import Ownership
from starling.bus.shared.slots import Slots
from starling.core.errors import IllegalTransition, Overloaded, ServerError

GEOMETRY = Geometry(slots=3, workers=2, max_lead=16_000)
SHM = Path("/dev") / "shm"


@pytest.fixture
def arena() -> Arena:
    return Arena.create(GEOMETRY)


def child(arena: Arena, script: str) -> subprocess.Popen[str]:
    """A process that attaches the arena as ``arena``, runs ``script``, says "ready" and waits for ever."""
    lines = (
        "import signal, sys",
        "from starling.bus.shared.arena import Arena",
        f"arena = Arena.attach({arena.fd})",
        script,
        "print('ready', flush=True)",
        "signal.pause()",
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3] / "src")}
    process = subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, "-c", "\n".join(lines)], pass_fds=arena.fds, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    process.stdout.close()
    process.send_signal(signal.SIGKILL)
    process.wait()


def files() -> list[str]:
    found = []
    for path in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one that reads the directory
            found.append(str(path.readlink()))
    return sorted(found)


# --- the arena ---


def test_who_attaches_sees_what_was_written(arena: Arena) -> None:
    other = Arena.attach(arena.fd)
    assert (other.geometry, other.fds) == (GEOMETRY, arena.fds)
    other.workers.store(ProcessColumn.PID, 1, 4711)
    assert arena.workers.column(ProcessColumn.PID).tolist() == [0, 4711]
    before = time.monotonic_ns()
    other.workers.beat(0)
    assert before <= arena.workers.load(ProcessColumn.HEARTBEAT, 0) <= time.monotonic_ns()
    assert arena.gateway.state(0) is ProcessState.ABSENT


def test_columns_and_audio_are_read_only(arena: Arena) -> None:
    with pytest.raises(ValueError, match="read-only"):
        arena.slots.column(SlotColumn.LIFE)[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        arena.audio(0, 0, 0, 10)[0] = 1
    with pytest.raises(ServerError, match="row"):
        arena.workers.store(ProcessColumn.PID, 2, 1)


def test_what_is_no_arena_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 8192)
    with file.open("rb") as opened, pytest.raises(ServerError, match="version"):
        Arena.attach(opened.fileno())
    with pytest.raises(ServerError, match="file descriptor 9999"):
        Arena.attach(9999)
    with pytest.raises(ServerError, match="at least one"):
        Geometry(slots=0, workers=1, max_lead=1)


def test_it_has_the_size_it_was_made_with(arena: Arena) -> None:
    with pytest.raises(OSError, match="permitted"):
        os.ftruncate(arena.fd, 0)
    with pytest.raises(OSError, match="permitted"):
        os.ftruncate(arena.fd, arena.layout.size + 4096)


def test_unused_slots_take_no_memory() -> None:
    arena = Arena.create(Geometry(slots=4096, workers=8, max_lead=960_000))
    assert arena.layout.size > 2**32
    assert os.fstat(arena.fd).st_blocks * 512 < 2**16


def test_nothing_is_left_of_a_dropped_arena() -> None:
    before = files()
    arena = Arena.create(GEOMETRY)
    assert len(files()) == len(before) + 6
    del arena
    assert files() == before


def test_an_arena_is_closed_while_somebody_holds_its_audio(arena: Arena) -> None:
    samples = arena.audio(0, 0, 0, 10)
    arena.close()
    assert samples.tolist() == [0] * 10


def test_no_trace_is_left_when_its_processes_are_killed(arena: Arena) -> None:
    names = set(SHM.iterdir())
    processes = [child(arena, f"arena.workers.store(0, {row}, {row} + 1)") for row in range(2)]
    assert arena.workers.column(ProcessColumn.PID).tolist() == [1, 2]
    for process in processes:
        kill(process)
    assert set(SHM.iterdir()) == names


# --- slots ---


def test_slots_are_given_to_sessions_and_come_back(arena: Arena) -> None:
    slots = Slots(arena)
    taken = [slots.hold(name, Hold.RESULTS) for name in "abc"]
    assert sorted(taken) == [0, 1, 2]
    with pytest.raises(Overloaded, match="all 3 places"):
        slots.hold("d", Hold.RESULTS)
    assert [arena.find(name) for name in "abcd"] == [*taken, None]
    slots.hold("b", Hold.ENTRY)
    slots.drop(taken[1], Hold.RESULTS)
    assert slots.find("b", Hold.RESULTS) is None
    assert slots.find("b", Hold.ENTRY) == taken[1]
    slots.drop(taken[1], Hold.ENTRY)
    assert arena.find("b") is None
    assert slots.hold("d", Hold.RESULTS) == taken[1]
    assert arena.generation(taken[1]) == 2


def test_another_gateway_finds_the_sessions_of_the_one_before(arena: Arena) -> None:
    slots = Slots(arena)
    a, b = slots.hold("a", Hold.RESULTS), slots.hold("b", Hold.RESULTS)
    slots.hold("b", Hold.ENTRY)
    after = Slots(Arena.attach(arena.fd))
    assert (after.find("a", Hold.RESULTS), after.find("b", Hold.ENTRY)) == (a, b)
    assert after.abandon_unlisted() == ["a"]
    assert (after.find("a", Hold.RESULTS), after.find("b", Hold.ENTRY)) == (None, b)
    assert arena.holds(a) == Hold(0)


def test_a_free_slot_takes_no_memory(arena: Arena) -> None:
    slots = Slots(arena)
    before = os.fstat(arena.fd).st_blocks
    slot = slots.hold("a", Hold.RESULTS)
    arena.memory.write(arena.audio_at(slot, 0, 0), np.ones(16_000, np.int16))
    assert os.fstat(arena.fd).st_blocks > before
    slots.drop(slot, Hold.RESULTS)
    assert os.fstat(arena.fd).st_blocks <= before


# --- ownership ---


def on_log(slots: Slots, name: str) -> int:
    return slots.hold(name, Hold.LOG | Hold.OPENED)


def test_sessions_on_the_log_wait_for_an_owner(arena: Arena) -> None:
    slots, ownership = Slots(arena), Ownership(arena)
    slots.hold("no log", Hold.RESULTS)
    a, b = on_log(slots, "a"), on_log(slots, "b")
    assert ownership.waiting() == [a, b]
    ownership.assign(a, 1)
    assert (ownership.waiting(), ownership.owned(1), ownership.epoch(a)) == ([b], [a], 1)
    with pytest.raises(IllegalTransition, match="worker 1"):
        ownership.assign(a, 0)
    with pytest.raises(IllegalTransition, match="worker from 0 to 1"):
        ownership.assign(b, 2)


def test_a_dead_workers_sessions_wait_for_another(arena: Arena) -> None:
    slots, ownership = Slots(arena), Ownership(arena)
    a, b = on_log(slots, "a"), on_log(slots, "b")
    ownership.assign(a, 0)
    ownership.assign(b, 1)
    assert ownership.reclaim(0) == [a]
    assert ownership.waiting() == [a]
    ownership.assign(a, 1)
    assert (ownership.epoch(a), ownership.epoch(b)) == (2, 1)
    assert ownership.reclaim(1) == [a, b]


def test_a_slot_is_free_only_when_its_owner_or_the_supervisor_has_released_it(arena: Arena) -> None:
    slots, ownership = Slots(arena), Ownership(arena)
    a, b = on_log(slots, "a"), on_log(slots, "b")
    ownership.assign(a, 0)
    for slot in (a, b):
        slots.drop(slot, Hold.LOG)
    assert ownership.waiting() == []
    ownership.tidy()
    slots.collect()
    assert (arena.holds(a), arena.holds(b)) == (Hold.OPENED, Hold(0))
    assert ownership.reclaim(0) == []
    slots.collect()
    assert arena.holds(a) == Hold(0)
    assert arena.find("a") is None


def test_a_session_that_its_supervisor_gave_up_is_off_the_log(arena: Arena) -> None:
    slots, ownership = Slots(arena), Ownership(arena)
    slot = on_log(slots, "a")
    ownership.assign(slot, 0)
    with pytest.raises(IllegalTransition, match="worker 0"):
        ownership.release(slot)
    ownership.reclaim(0)
    ownership.release(slot)
    assert ownership.waiting() == []
    assert slots.collect() == [slot]
    assert slots.find("a", Hold.LOG) is None


def test_a_slots_next_session_has_nothing_of_the_last_one(arena: Arena) -> None:
    slots, ownership = Slots(arena), Ownership(arena)
    slot = on_log(slots, "a")
    ownership.assign(slot, 0)
    ownership.reclaim(0)
    ownership.release(slot)
    slots.collect()
    assert on_log(slots, "b") == slot
    assert (ownership.waiting(), ownership.epoch(slot)) == ([slot], 0)


# --- memory ---


def test_only_whole_pages_are_given_back(arena: Arena) -> None:
    memory: Memory = arena.memory
    start = arena.layout.slots.base
    memory.write(start, b"x" * 16_384)
    memory.give_back(start + 1, 12_288)
    assert memory.read(start, 16_384) == b"x" * 4096 + bytes(8192 - 0)[:8192] + b"x" * 4096
