"""The supervisor over processes and sessions that are played, on virtual time."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from starling.core.errors import ModelUnavailable, ServerError, StarlingError
from starling.core.load import Load, Rung
from starling.core.ports import Work
from starling.supervisor.fleet import Fleet, Member
from starling.supervisor.launch import Role
from starling.supervisor.observation import Observer
from starling.supervisor.options import SupervisorOptions
from starling.supervisor.processes import Activity
from starling.supervisor.sheets import InHand
from starling.supervisor.supervisor import HEIR, Ports, Supervisor
from starling.telemetry.metrics import Metrics
from virtual_time import VirtualClock, run, stopped

LOADING = 2.0
"""Seconds until a played process is ready."""


@dataclass(eq=False)
class PlayedChild:
    """``silent``: it beats no more. ``obeys``: SIGTERM ends it after so many seconds, None: it does not."""

    pid: int
    began: float
    obeys: float | None = 0.1
    silent_since: float | None = None
    activity: Activity = field(default_factory=Activity)
    memory: int = 0
    hands: dict[Work, InHand] = field(default_factory=dict)
    never_ready: bool = False
    over: asyncio.Future[int] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    async def wait(self) -> int:
        return await asyncio.shield(self.over)

    def end(self, status: int) -> None:
        if not self.over.done():
            self.over.set_result(status)

    def kill(self) -> None:
        self.end(-signal.SIGKILL)

    def send_signal(self, number: int) -> None:
        if number == signal.SIGTERM and self.obeys is not None:
            asyncio.get_running_loop().call_later(self.obeys, self.end, 0)


class PlayedCrew:
    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.children: dict[Member, PlayedChild] = {}
        self.started: list[PlayedChild] = []
        self.suspects: list[Sequence[int]] = []
        self.failing: StarlingError | None = None
        self.aborting = 0  # so many workers more end before they are ready
        self.aborting_seats = {0, 1}
        self.loading = LOADING

    async def start(self, member: Member) -> PlayedChild:
        child = self.children[member] = PlayedChild(pid=len(self.started) + 1, began=self.clock.now())
        self.started.append(child)
        if self.failing is not None and member.role is Role.WORKER:
            asyncio.get_running_loop().call_later(0.5, child.end, 1)
        elif self.aborting and member.role is Role.WORKER and member.seat in self.aborting_seats:
            self.aborting -= 1
            asyncio.get_running_loop().call_later(0.5, child.end, -signal.SIGABRT)
        return child

    def is_ready(self, member: Member) -> bool:
        child = self.children[member]
        return not child.never_ready and self.failing is None and self.clock.now() >= child.began + self.loading

    def beat(self, member: Member) -> float:
        child = self.children[member]
        return self.clock.now() if child.silent_since is None else child.silent_since

    def in_hand(self, member: Member) -> Mapping[Work, InHand]:
        return self.children[member].hands

    def failure(self, member: Member) -> StarlingError | None:
        return self.failing if member.role is Role.WORKER else None

    def suspect(self, keys: Sequence[int]) -> None:
        self.suspects.append(list(keys))

    def cleared(self, member: Member) -> None:
        del self.children[member]

    def child(self, role: Role, seat: int = 0) -> PlayedChild:
        return next(child for member, child in self.children.items() if (member.role, member.seat) == (role, seat))

    def row(self, child: PlayedChild) -> int:
        return next(member.row for member, one in self.children.items() if one is child)


class PlayedSessions:
    """Keys and slots are the same numbers here. ``owner``: by slot, None while it waits."""

    def __init__(self) -> None:
        self.owner: dict[int, int | None] = {}
        self.committed: dict[int, int] = {}
        self.failed: dict[int, StarlingError] = {}
        self.moves: list[tuple[int, int]] = []
        self.said: dict[int, Load] = {}

    def open(self, *slots: int) -> None:
        self.owner |= dict.fromkeys(slots)
        self.committed |= dict.fromkeys(slots, 0)

    def waiting(self) -> Sequence[int]:
        return [slot for slot, owner in self.owner.items() if owner is None]

    def owned(self, worker: int) -> int:
        return list(self.owner.values()).count(worker)

    def loads(self) -> Mapping[int, Load]:
        return dict(self.said)

    def assign(self, slot: int, worker: int) -> None:
        assert self.owner[slot] is None
        self.owner[slot] = worker
        self.moves.append((slot, worker))

    def reclaim(self, worker: int) -> int:
        slots = [slot for slot, owner in self.owner.items() if owner == worker]
        self.owner |= dict.fromkeys(slots)
        return len(slots)

    def commits(self) -> Mapping[int, int]:
        return dict(self.committed)

    async def fail(self, key: int, error: StarlingError) -> None:
        self.failed[key] = error
        del self.owner[key], self.committed[key]


class Rig:
    def __init__(self, options: SupervisorOptions | None = None) -> None:
        self.clock = VirtualClock()
        self.crew = PlayedCrew(self.clock)
        self.sessions = PlayedSessions()
        self.metrics = Metrics()
        options = options or SupervisorOptions(workers=2)
        started = self.crew.started
        observer = Observer(
            self.crew, options, activity=lambda pid: started[pid - 1].activity, memory=lambda pid: started[pid - 1].memory
        )
        ports = Ports(crew=self.crew, sessions=self.sessions, observer=observer, clock=self.clock, metrics=self.metrics)
        self.supervisor = Supervisor(options, Fleet(options, lambda: 1.0), ports)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.supervisor.run(), name="supervisor")
        try:
            await self.supervisor.ready()
            yield
            assert not task.done(), "it must never end by itself"
        finally:
            await stopped(task)
        assert all(child.over.done() for child in self.crew.started), "children go with it"

    def workers(self) -> tuple[PlayedChild, PlayedChild]:
        return self.crew.child(Role.WORKER, 0), self.crew.child(Role.WORKER, 1)

    def failures(self, role: Role, cause: str) -> float | None:
        labels = {"role": str(role), "cause": cause}
        return self.metrics.registry.get_sample_value("starling_process_failures_total", labels)


def test_sessions_that_open_are_given_out_evenly() -> None:
    async def scenario() -> None:
        rig = Rig()
        async with rig.running():
            rig.sessions.open(1, 2, 3, 4)
            rig.supervisor.wake()
            await asyncio.sleep(0.01)
            assert sorted(owner for owner in rig.sessions.owner.values() if owner is not None) == [0, 0, 1, 1]

    run(scenario())


@pytest.mark.parametrize("status", [-signal.SIGKILL, -signal.SIGSEGV, 1, 0])
def test_the_sessions_of_a_worker_that_ends_go_to_the_others_at_once(status: int) -> None:
    async def scenario() -> None:
        rig = Rig()
        async with rig.running():
            rig.sessions.open(*range(6))
            await asyncio.sleep(0.1)
            victim, other = rig.workers()
            survivor = rig.crew.row(other)
            victim.end(status)
            await asyncio.sleep(0.01)
            assert set(rig.sessions.owner.values()) == {survivor}
            await asyncio.sleep(LOADING + 1)
            assert rig.metrics.registry.get_sample_value("starling_workers_ready") == 2
            rig.sessions.open(9)
            await asyncio.sleep(0.1)
            assert rig.sessions.owner[9] != survivor, "the new one takes its share"

    run(scenario())


def full(sessions: int) -> Load:
    return Load(sessions=sessions, demand=0.8, room=0.05, each=0.05, rung=Rung.STRETCHED, retry_after=1.0, at=0.0)


def test_sessions_for_whom_there_is_no_room_wait_for_an_heir_that_starts_at_once() -> None:
    async def scenario() -> None:
        rig = Rig()
        async with rig.running():
            rig.sessions.open(*range(6))
            await asyncio.sleep(0.1)
            victim, other = rig.workers()
            survivor = rig.crew.row(other)
            rig.crew.loading = HEIR / 2
            rig.sessions.said[survivor] = full(3)
            rig.sessions.moves.clear()
            victim.end(-signal.SIGKILL)
            await asyncio.sleep(0.01)
            assert [worker for _, worker in rig.sessions.moves] == [survivor], "the one place there is"
            await asyncio.sleep(HEIR)
            assert [worker == survivor for _, worker in rig.sessions.moves] == [True, False, False]

    run(scenario())


def test_who_waits_for_an_heir_in_vain_is_crowded_in() -> None:
    async def scenario() -> None:
        rig = Rig()
        async with rig.running():
            rig.sessions.open(*range(6))
            await asyncio.sleep(0.1)
            victim, other = rig.workers()
            survivor = rig.crew.row(other)
            rig.sessions.said[survivor] = full(3)
            victim.end(-signal.SIGKILL)
            await asyncio.sleep(HEIR + 0.2)
            assert rig.crew.loading > HEIR + 0.2
            assert set(rig.sessions.owner.values()) == {survivor}

    run(scenario())


def test_a_worker_that_was_alone_gets_its_sessions_back() -> None:
    async def scenario() -> None:
        rig = Rig(SupervisorOptions(workers=1))
        async with rig.running():
            rig.sessions.open(1, 2)
            await asyncio.sleep(0.1)
            rig.crew.child(Role.WORKER).end(-signal.SIGKILL)
            await asyncio.sleep(1.0)
            assert rig.sessions.waiting() == [1, 2]
            await asyncio.sleep(LOADING)
            assert rig.sessions.waiting() == []

    run(scenario())


def test_a_hang_is_noticed_within_its_time_and_ownership_moves_after_the_reaping_only() -> None:
    async def scenario() -> None:
        rig = Rig()
        async with rig.running():
            rig.sessions.open(1)
            await asyncio.sleep(5.0)
            [owner] = [child for child in rig.workers() if rig.crew.row(child) == rig.sessions.owner[1]]
            owner.silent_since = rig.clock.now()
            await asyncio.sleep(0.9)
            assert not owner.over.done()
            await asyncio.sleep(0.25)
            assert owner.over.result() == -signal.SIGKILL
            assert len(rig.sessions.moves) == 2
            assert rig.failures(Role.WORKER, "hang") == 1

    run(scenario())


def test_one_that_is_stopped_is_replaced_sooner_than_one_that_says_nothing() -> None:
    async def scenario() -> None:
        rig = Rig()
        async with rig.running():
            await asyncio.sleep(1.0)
            victim, _ = rig.workers()
            victim.silent_since = rig.clock.now()
            victim.activity = Activity(stopped=True)
            await asyncio.sleep(0.2)
            assert not victim.over.done()
            await asyncio.sleep(0.15)
            assert victim.over.done()
            assert rig.failures(Role.WORKER, "stopped") == 1

    run(scenario())


def test_a_starved_process_is_not_killed_for_it() -> None:
    async def scenario() -> None:
        rig = Rig()
        async with rig.running():
            await asyncio.sleep(1.0)
            starved, _ = rig.workers()
            starved.silent_since = rig.clock.now()
            starved.activity = Activity(runnable=True, computed=3.0)
            await asyncio.sleep(5.0)
            assert not starved.over.done()

    run(scenario())


def test_audio_that_ends_two_workers_is_quarantined_and_no_other() -> None:
    async def scenario() -> None:
        rig = Rig()
        async with rig.running():
            rig.sessions.open(1, 2, 3)
            await asyncio.sleep(0.1)
            for expected in ([1, 2], [1]):
                [child] = [one for one in rig.workers() if rig.crew.row(one) == rig.sessions.owner[1]]
                child.hands[Work.DECODE] = InHand(rig.clock.now(), tuple(expected))
                child.end(-signal.SIGSEGV)
                await asyncio.sleep(LOADING + 1)
            assert list(rig.sessions.failed) == [1]
            assert rig.sessions.failed[1].code == "quarantined"
            assert rig.crew.suspects == [[1, 2], [1, 2]]
            assert None not in rig.sessions.owner.values()

    run(scenario())


def test_what_somebody_else_did_is_nobodys_strike() -> None:
    async def scenario() -> None:
        rig = Rig()
        async with rig.running():
            rig.sessions.open(1)
            await asyncio.sleep(0.1)
            for _ in range(4):
                [child] = [one for one in rig.workers() if rig.crew.row(one) == rig.sessions.owner[1]]
                child.hands[Work.DECODE] = InHand(rig.clock.now(), (1,))
                child.end(-signal.SIGKILL)
                await asyncio.sleep(20)
            assert rig.sessions.failed == {}

    run(scenario())


def test_memory_is_held_against_a_call_only_if_it_grew_during_it() -> None:
    async def scenario() -> None:
        rig = Rig(SupervisorOptions(workers=2, memory_limit=1000))
        async with rig.running():
            rig.sessions.open(1, 2)
            await asyncio.sleep(5)
            first, second = rig.workers()
            first.hands[Work.DECODE] = InHand(rig.clock.now(), (1,))
            await asyncio.sleep(1)
            first.memory = 2000
            await asyncio.sleep(1)
            assert rig.crew.suspects[-1] == [1]
            second.memory = 2000
            await asyncio.sleep(0.4)
            second.hands[Work.DECODE] = InHand(rig.clock.now() + 5, (2,))
            await asyncio.sleep(1)
            assert rig.crew.suspects[-1] == [1]
            assert rig.failures(Role.WORKER, "memory") == 2

    run(scenario())


def test_a_gateway_is_started_again_at_once() -> None:
    async def scenario() -> None:
        rig = Rig()
        async with rig.running():
            await asyncio.sleep(10)
            rig.crew.child(Role.GATEWAY).end(-signal.SIGKILL)
            await asyncio.sleep(0.06)
            assert rig.crew.child(Role.GATEWAY).began == pytest.approx(rig.clock.now(), abs=0.07)

    run(scenario())


def test_workers_are_replaced_without_a_moment_in_which_nobody_serves() -> None:
    async def scenario() -> None:
        rig = Rig()
        async with rig.running():
            rig.sessions.open(1, 2)
            await asyncio.sleep(0.1)
            old = rig.workers()
            rig.supervisor.replace_workers()
            while not all(child.over.done() for child in old):
                assert sum(not child.over.done() and rig.clock.now() >= child.began + LOADING for child in rig.crew.started) >= 3
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.1)
            assert None not in rig.sessions.owner.values()
            assert not {child.pid for child in old} & {child.pid for child in rig.workers()}
            assert rig.failures(Role.WORKER, "killed") == 0

    run(scenario())


def test_a_drain_ends_the_gateway_before_the_workers() -> None:
    async def scenario() -> None:
        rig = Rig()
        running = asyncio.create_task(rig.supervisor.run())
        await rig.supervisor.ready()
        gateway, workers = rig.crew.child(Role.GATEWAY), rig.workers()
        gateway.obeys = 3.0
        draining = asyncio.create_task(rig.supervisor.drain())
        await asyncio.sleep(2.9)
        assert not any(child.over.done() for child in (gateway, *workers))
        await draining
        await running
        assert [child.over.result() for child in rig.crew.started] == [0, 0, 0]

    run(scenario())


def test_whoever_does_not_end_is_ended() -> None:
    async def scenario() -> None:
        rig = Rig(SupervisorOptions(workers=2, drain_grace=1.0))
        running = asyncio.create_task(rig.supervisor.run())
        await rig.supervisor.ready()
        for child in rig.crew.started:
            child.obeys = None
        async with asyncio.timeout(8):
            await rig.supervisor.drain()
        await running

    run(scenario())


def test_a_worker_lost_while_draining_is_replaced_so_that_segments_finish() -> None:
    async def scenario() -> None:
        rig = Rig(SupervisorOptions(workers=1))
        running = asyncio.create_task(rig.supervisor.run())
        await rig.supervisor.ready()
        rig.sessions.open(1)
        await asyncio.sleep(0.1)
        rig.crew.child(Role.GATEWAY).obeys = 6.0
        draining = asyncio.create_task(rig.supervisor.drain())
        await asyncio.sleep(0.1)
        rig.crew.child(Role.WORKER).end(-signal.SIGKILL)
        await asyncio.sleep(LOADING + 0.5)
        assert rig.sessions.waiting() == []
        await draining
        await running

    run(scenario())


def test_what_keeps_the_first_worker_from_starting_is_said_and_the_rest_goes() -> None:
    async def scenario() -> None:
        rig = Rig()
        rig.crew.failing = ModelUnavailable("no weights")
        with pytest.raises(ModelUnavailable, match="no weights"):
            await rig.supervisor.run()
        assert all(child.over.done() for child in rig.crew.started)
        await rig.supervisor.ready()

    run(scenario())


def test_workers_that_never_start_are_given_up_after_some_tries() -> None:
    async def scenario() -> None:
        rig = Rig()
        rig.crew.aborting = 1_000
        with pytest.raises(ServerError, match=r"worker-[01] was started 5 times .*crash, exit status -6"):
            await rig.supervisor.run()
        assert all(child.over.done() for child in rig.crew.started)

    run(scenario())


def test_one_worker_that_takes_its_time_is_waited_for_though_another_never_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "LOADING", 60.0)

    async def scenario() -> None:
        rig = Rig()
        rig.crew.aborting, rig.crew.aborting_seats = 1_000, {1}
        async with rig.running():
            rig.sessions.open(1)
            await asyncio.sleep(0.1)
            assert rig.sessions.waiting() == []

    run(scenario())


def test_a_worker_that_starts_at_last_is_waited_for_and_later_ones_for_ever() -> None:
    async def scenario() -> None:
        rig = Rig(SupervisorOptions(workers=1))
        rig.crew.aborting = 4
        async with rig.running():
            rig.crew.aborting = 20
            rig.crew.child(Role.WORKER).end(-signal.SIGKILL)
            await asyncio.sleep(400)
            assert rig.crew.aborting == 0
            rig.sessions.open(1)
            await asyncio.sleep(0.1)
            assert rig.sessions.waiting() == []

    run(scenario())
