"""Which processes there are, and which there should be.

A *seat* is what must always be taken: the gateway's and one for each worker. Whoever sits there is a *member*. While a worker is
replaced its seat has two: the successor gets ready first, then the predecessor goes. Pure: it is told what happened and when.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from starling.supervisor.deaths import OWN_FAULT, Cause
from starling.supervisor.launch import Role
from starling.supervisor.options import SupervisorOptions
from starling.supervisor.restarts import Restarts


class Phase(StrEnum):
    """Where a member stands. ``CONDEMNED``: it was told to end, or killed, and is not reaped yet."""

    STARTING = "starting"
    READY = "ready"
    CONDEMNED = "condemned"


@dataclass(slots=True, eq=False)
class Member:
    """One process. ``row``: its own among those of its role until it is reaped. ``verdict``: for what it was condemned."""

    role: Role
    seat: int
    row: int
    started: float
    phase: Phase = Phase.STARTING
    verdict: Cause | None = None

    @property
    def name(self) -> str:
        """Of its seat: it stays when the process is replaced."""
        return f"{self.role}-{self.seat}" if self.role is Role.WORKER else str(self.role)


@dataclass(slots=True)
class _Seat:
    role: Role
    number: int
    restarts: Restarts
    due: float = 0.0
    vacant: bool = False  # for ever
    members: list[Member] = field(default_factory=list)  # at most two: the predecessor and its successor


class Fleet:
    """All seats. ``draw`` gives numbers from 0 to 1, see Restarts."""

    def __init__(self, options: SupervisorOptions, draw: Callable[[], float]) -> None:
        self._seats = [_Seat(Role.GATEWAY, 0, Restarts(options, draw))]
        self._seats += [_Seat(Role.WORKER, number, Restarts(options, draw)) for number in range(options.workers)]
        self._rows = {Role.GATEWAY: {0}, Role.WORKER: set(range(self.rows(options)))}
        self._to_replace: deque[int] = deque()

    @staticmethod
    def rows(options: SupervisorOptions) -> int:
        """Workers that there can be at once: while one is replaced there are two of it."""
        return options.workers + 1

    @property
    def members(self) -> Iterator[Member]:
        """Every process that is not reaped."""
        return (member for seat in self._seats for member in seat.members)

    def takers(self) -> list[int]:
        """Rows of the workers that take sessions."""
        return [member.row for member in self.members if member.role is Role.WORKER and member.phase is Phase.READY]

    def expects(self, now: float, within: float) -> bool:
        """A worker takes sessions before long: it is due, or was started less than ``within`` seconds ago."""
        return any(
            any(member.phase is Phase.STARTING and now - member.started < within for member in seat.members)
            if seat.members
            else now >= seat.due
            for seat in self._seats
            if seat.role is Role.WORKER and not seat.vacant
        )

    def ready(self, role: Role) -> bool:
        """Somebody in this role works."""
        return any(member.role is role and member.phase is Phase.READY for member in self.members)

    def due(self, now: float) -> list[Member]:
        """Those that must be started now: they are members from here on."""
        new = []
        for seat in self._seats:
            if seat.vacant or not self._rows[seat.role] or not (self._empty(seat, now) or self._awaits_successor(seat)):
                continue
            row = min(self._rows[seat.role])
            self._rows[seat.role].discard(row)
            member = Member(seat.role, seat.number, row, now)
            seat.members.append(member)
            new.append(member)
        return new

    def settled(self, member: Member, now: float) -> list[Member]:
        """``member`` is ready; whom it replaces, to be condemned."""
        member.phase = Phase.READY
        seat = self._seat(member)
        seat.restarts.ready(now)
        before = [other for other in seat.members if other is not member]
        if before:
            self._to_replace.popleft()
        return before

    def condemn(self, member: Member, verdict: Cause | None) -> None:
        """It was told to end, or killed. The first verdict counts."""
        if member.phase is not Phase.CONDEMNED:
            member.phase, member.verdict = Phase.CONDEMNED, verdict

    def reaped(self, member: Member, cause: Cause, now: float) -> float | None:
        """The process is no more; seconds until the next one starts in its seat, None where one sits there or none will."""
        seat = self._seat(member)
        is_successor = len(seat.members) > 1 and seat.members[-1] is member
        seat.members.remove(member)
        self._rows[member.role].add(member.row)
        if is_successor and member.phase is not Phase.READY:  # the old one is better than the new one
            self._to_replace.clear()
        if not seat.members and self._to_replace and self._to_replace[0] == seat.number and seat.role is Role.WORKER:
            self._to_replace.popleft()  # the next one is new anyway
        if seat.members or seat.vacant:
            return None
        delay = 0.0 if cause is Cause.REPLACED else seat.restarts.failed(now, own_fault=cause in OWN_FAULT)
        seat.due = now + delay
        return delay

    def replace_workers(self) -> None:
        """Give each worker a successor, one at a time."""
        self._to_replace = deque(seat.number for seat in self._seats if seat.role is Role.WORKER and not seat.vacant)

    def retire(self, role: Role) -> list[Member]:
        """Start none in this role any more; those that there are."""
        if role is Role.WORKER:
            self._to_replace.clear()
        for seat in self._seats:
            seat.vacant = seat.vacant or seat.role is role
        return [member for member in self.members if member.role is role]

    def _empty(self, seat: _Seat, now: float) -> bool:
        return not seat.members and now >= seat.due

    def _awaits_successor(self, seat: _Seat) -> bool:
        """Only a worker that works is replaced: one that starts anyway is new."""
        if seat.role is not Role.WORKER or not self._to_replace or self._to_replace[0] != seat.number:
            return False
        return len(seat.members) == 1 and seat.members[0].phase is Phase.READY

    def _seat(self, member: Member) -> _Seat:
        return next(seat for seat in self._seats if member in seat.members)
