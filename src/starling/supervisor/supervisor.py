"""The supervisor: a loop that looks, judges, replaces and assigns. It computes nothing itself and outlives every child.

Ownership of sessions moves only here, and only after the process that had them was reaped, so that nobody writes for another.
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from starling.core.errors import Quarantined, ServerError, StarlingError
from starling.core.ports import Clock
from starling.supervisor.bans import Bans
from starling.supervisor.crew import Child, Crew, Sessions
from starling.supervisor.deaths import OWN_FAULT, Cause, cause_of
from starling.supervisor.fleet import Fleet, Member, Phase
from starling.supervisor.launch import Role
from starling.supervisor.observation import Observer
from starling.supervisor.options import SupervisorOptions
from starling.supervisor.placement import Place, place
from starling.supervisor.strikes import Strikes
from starling.supervisor.verdicts import Patience, judge
from starling.telemetry.logs import get_logger
from starling.telemetry.metrics import Metrics

log = get_logger(__name__)

TICK: Final = 0.05
"""Seconds between two looks, if nothing happens."""

END_AFTER: Final = 3.0
"""Seconds that a process gets to end that has nothing left to do."""

HEIR: Final = 0.5
"""Seconds that sessions for which there is no room wait for a recognizer that starts: crowded in with others they would be late
for as long as they last, since nobody moves them again."""

FALSE_STARTS: Final = 5
"""So often each process of a role may end before any was ever ready: then none ever will be, and whoever runs us should know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What a supervisor stands on."""

    crew: Crew
    sessions: Sessions
    observer: Observer
    clock: Clock
    metrics: Metrics


class Supervisor:
    """``run`` it; ``wake`` it when a session waits for an owner. ``fleet`` must be new."""

    def __init__(self, options: SupervisorOptions, fleet: Fleet, ports: Ports) -> None:
        self._options = options
        self._fleet = fleet
        self._ports = ports
        self._children: dict[Member, Child] = {}
        self._strikes: Strikes[int] = Strikes()
        self._bans = Bans()
        self._ever_ready: set[Role] = set()
        self._false_starts: dict[Role, Counter[int]] = {role: Counter() for role in Role}  # by seats
        self._ready = asyncio.Event()
        self._woken = asyncio.Event()
        self._left = asyncio.Event()
        self._ended = asyncio.Event()
        self._failure: StarlingError | None = None
        self._patience = Patience()
        self._looked: float | None = None
        self._blind = 0.0
        self._blind_at = 0.0

    async def run(self) -> None:
        """Until it is drained. Raises what kept the first processes from starting. When cancelled it takes its children along."""
        try:
            async with asyncio.TaskGroup() as attending:
                while self._failure is None and not self._ended.is_set():
                    await self._look(attending)
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._woken.wait(), TICK)
                    self._woken.clear()
                self._kill_all()
        finally:
            self._kill_all()
            self._ready.set()
        if self._failure is not None:
            raise self._failure

    async def ready(self) -> None:
        """Wait until there is a gateway and a worker, or until there never will be: ``run`` raises then."""
        await self._ready.wait()

    def wake(self) -> None:
        """Look soon."""
        self._woken.set()

    def replace_workers(self) -> None:
        """Replace every worker by a new one, one after the other, without losing a session."""
        log.info("replacing workers")
        self._fleet.replace_workers()
        self.wake()

    async def drain(self) -> None:
        """Let the gateway finish its sessions, then end everybody. ``run`` returns after it."""
        await self._dismiss(Role.GATEWAY, self._options.drain_grace + END_AFTER)
        await self._dismiss(Role.WORKER, END_AFTER)
        self._ended.set()
        self.wake()

    # --- looking ---

    async def _look(self, attending: asyncio.TaskGroup) -> None:
        now = self._ports.clock.now()
        self._notice_own_lateness(now)
        if self._bans.forget(now):
            self._tell_suspects()
        for member in list(self._fleet.members):
            if member in self._children and member.phase is not Phase.CONDEMNED:
                self._judge(member, now)
        for member in self._fleet.due(now):
            await self._start(member, attending)
        self._assign()

    def _notice_own_lateness(self, now: float) -> None:
        """A machine that stood still stood still for everybody: what we slept through is held against nobody."""
        if self._looked is not None and now - self._looked > 4 * TICK:
            self._blind += now - self._looked - TICK
            self._blind_at = now
        elif now - self._blind_at > self._options.hang_timeout:
            self._blind = 0.0
        self._looked = now

    def _judge(self, member: Member, now: float) -> None:
        if member.phase is Phase.STARTING and self._ports.crew.is_ready(member):
            self._settle(member, now)
        signs = self._ports.observer.look(member, self._children[member], now)
        if verdict := judge(signs, self._options, now, blind=self._blind, patience=self._patience.factor(now)):
            log.warning("process condemned", member=member.name, cause=verdict, silent_seconds=round(now - signs.beat, 3))
            if verdict is Cause.HANG:
                self._patience.hung(now)
            self._condemn(member, verdict)

    def _settle(self, member: Member, now: float) -> None:
        pid, after = self._children[member].pid, round(now - member.started, 3)
        log.info("process ready", member=member.name, pid=pid, after_seconds=after)
        for before in self._fleet.settled(member, now):
            self._condemn(before, Cause.REPLACED)
        self._ever_ready.add(member.role)
        if self._ever_ready >= {Role.GATEWAY, Role.WORKER}:
            self._ready.set()
        self._count_ready()

    def _condemn(self, member: Member, verdict: Cause) -> None:
        self._fleet.condemn(member, verdict)
        self._children[member].kill()
        self._count_ready()

    def _count_ready(self) -> None:
        self._ports.metrics.workers_ready.set(len(self._fleet.takers()))

    # --- starting and ending ---

    async def _start(self, member: Member, attending: asyncio.TaskGroup) -> None:
        member.started = self._ports.clock.now()
        try:
            child = self._children[member] = await self._ports.crew.start(member)
        except OSError as error:  # no process or no memory to be had; the next try may be luckier
            log.warning("process not started", member=member.name, reason=error.strerror)
            self._count_false_start(member, f"{error.strerror}")
            self._fleet.reaped(member, Cause.START, self._ports.clock.now())
            return
        known = {"pid": child.pid} if child.pid else {}  # a copy of the template has its own once it is made
        log.info("process started", member=member.name, **known)
        attending.create_task(self._attend(member, child), name=f"attend {member.name}")

    async def _attend(self, member: Member, child: Child) -> None:
        returncode = await child.wait()
        cause = cause_of(returncode, member.verdict)
        now = self._ports.clock.now()
        silent_since = self._ports.crew.beat(member)
        if member.role is Role.WORKER:
            await self._take_back(member, cause)
        else:
            self._ban(member, cause, now)
        if member.role not in self._ever_ready and (failure := self._ports.crew.failure(member)):
            self._failure = failure
        elif cause is not Cause.REPLACED:
            self._count_false_start(member, f"{cause}, exit status {returncode}")
        self._ports.crew.cleared(member)
        self._ports.observer.forget(member)
        del self._children[member]
        self._left.set()
        delay = self._fleet.reaped(member, cause, now)
        self._assign()
        self._count_ready()
        if cause is not Cause.REPLACED:
            self._ports.metrics.process_failures.labels(role=member.role, cause=cause).inc()
            log.warning("process ended", member=member.name, cause=cause, status=returncode, restart_seconds=delay)
            if member.role is Role.WORKER and silent_since > member.started:
                self._ports.metrics.takeover_time.observe(self._ports.clock.now() - silent_since)
        self.wake()

    def _count_false_start(self, member: Member, why: str) -> None:
        """Give up on a server that never was one: restarted for ever, it would look as if it were about to be."""
        if member.role in self._ever_ready:
            return
        starts, seats = self._false_starts[member.role], self._options.workers if member.role is Role.WORKER else 1
        starts[member.seat] += 1
        if sum(count >= FALSE_STARTS for count in starts.values()) == seats:
            self._failure = ServerError(
                f"{member.name} was started {FALSE_STARTS} times and never got ready (the last time: {why}); the log says more"
            )

    async def _dismiss(self, role: Role, patience: float) -> None:
        """Ask the members in ``role`` to end, wait, and insist."""
        for member in self._fleet.retire(role):
            self._fleet.condemn(member, Cause.REPLACED)
            if child := self._children.get(member):
                with suppress(ProcessLookupError):
                    child.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(patience):
                await self._gone(role)
        except TimeoutError:
            log.warning("processes did not end in time", role=role)
            for member, child in self._children.items():
                if member.role is role:
                    _kill(child)
            await self._gone(role)

    async def _gone(self, role: Role) -> None:
        while any(member.role is role for member in self._children):
            self._left.clear()
            await self._left.wait()

    def _kill_all(self) -> None:
        for role in (Role.GATEWAY, Role.WORKER):
            self._fleet.retire(role)
        for child in self._children.values():
            _kill(child)

    # --- sessions ---

    async def _take_back(self, member: Member, cause: Cause) -> None:
        """The sessions of a worker that is no more: to others at once, but for one that ended it twice."""
        sessions = self._ports.sessions
        moved = sessions.reclaim(member.row)
        self._ports.metrics.sessions_moved.inc(moved)
        out = self._strikes.struck(self._blamed(member, cause), sessions.commits())
        self._tell_suspects()
        for key in out:
            log.warning("session quarantined", member=member.name, cause=cause)
            self._ports.metrics.sessions_quarantined.inc()
            await sessions.fail(key, Quarantined.session())

    def _ban(self, member: Member, cause: Cause, now: float) -> None:
        """After the end of a gateway: no third one unpacks what whoever ended two of them sends."""
        for _ in self._bans.struck(self._blamed(member, cause), now):
            log.warning("sender banned", member=member.name, cause=cause)
            self._tell_suspects()

    def _tell_suspects(self) -> None:
        self._ports.crew.suspect([*self._bans.banned, *self._strikes.suspects()])

    def _blamed(self, member: Member, cause: Cause) -> list[int]:
        """Keys of those whose audio may be why ``member`` ended: sessions, or senders."""
        if cause not in OWN_FAULT:
            return []
        calls = list(self._ports.crew.in_hand(member).values())
        if cause is Cause.MEMORY:  # it outgrew its limit during the call, or the call has nothing to do with it
            calls = [call for call in calls if call.since <= self._ports.observer.modest_at(member)]
        return [key for call in calls for key in call.keys]

    def _assign(self) -> None:
        sessions = self._ports.sessions
        waiting = sessions.waiting()
        if not waiting or not (takers := self._fleet.takers()):
            return
        loads = sessions.loads()
        owned = {worker: sessions.owned(worker) for worker in takers}
        heir_comes = self._fleet.expects(self._ports.clock.now(), HEIR)
        for slot in waiting:
            places = [Place(worker=one, sessions=owned[one], load=loads.get(one)) for one in takers]
            if heir_comes and not any(one.has_room for one in places):
                break
            chosen = place(places)
            assert chosen is not None
            sessions.assign(slot, chosen)
            owned[chosen] += 1


def _kill(child: Child) -> None:
    with suppress(ProcessLookupError):
        child.kill()
