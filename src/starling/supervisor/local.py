"""The crew of one host: child processes over one arena."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from starling.bus.shared.arena import Arena, Table
from starling.bus.shared.layout import ProcessColumn, ProcessState
from starling.core.errors import StarlingError
from starling.core.ports import Work
from starling.supervisor.crew import Child
from starling.supervisor.fleet import Member
from starling.supervisor.launch import Launch, Role, spawn
from starling.supervisor.presence import read_said
from starling.supervisor.sheets import InHand, Sheets

SUPERVISORS_SHEET: Final = 0
GATEWAYS_SHEET: Final = 1
FIRST_WORKERS_SHEET: Final = 2


def sheet_of(role: Role, row: int) -> int:
    """Where the process with ``row`` among those of its role has its sheet."""
    match role:
        case Role.SUPERVISOR:
            return SUPERVISORS_SHEET
        case Role.GATEWAY:
            return GATEWAYS_SHEET
        case Role.WORKER:
            return FIRST_WORKERS_SHEET + row


def worker_name(row: int) -> str:
    """The id under which the worker with this row posts its load."""
    return f"{Role.WORKER}-{row}"


@dataclass(slots=True, kw_only=True)
class Orders:
    """What new members are started with. ``settings``: as JSON, replaced on a reload. ``modules``: what ``python -m`` runs.

    ``cores``: one for each worker's seat; those beyond are not pinned. ``listener``: the number of the socket; ``dialects``:
    those of dialects with a port of their own, by their names.
    """

    settings: bytes
    modules: Mapping[Role, str]
    cores: Sequence[int]
    listener: int
    dialects: Mapping[str, int] = field(default_factory=dict)


class LocalCrew:
    """Crew of child processes."""

    def __init__(self, arena: Arena, sheets: Sheets, orders: Orders) -> None:
        self._arena = arena
        self._sheets = sheets
        self._orders = orders
        self._capabilities = b"null"

    async def start(self, member: Member) -> Child:
        table, orders = self._table(member), self._orders
        table.store(ProcessColumn.STATE, member.row, ProcessState.STARTING)
        is_worker = member.role is Role.WORKER
        launch = Launch(
            role=member.role,
            row=sheet_of(member.role, member.row),
            worker=member.row if is_worker else 0,
            name=member.name,
            core=orders.cores[member.seat] if is_worker and member.seat < len(orders.cores) else None,
            settings=msgspec.Raw(orders.settings),
            capabilities=msgspec.Raw(self._capabilities),
            arena=self._arena.fd,
            sheets=self._sheets.fd,
            listener=orders.listener,
            dialects=orders.dialects,
            parent=os.getpid(),
        )
        fds = [*self._arena.fds, self._sheets.fd, *(() if is_worker else (orders.listener, *orders.dialects.values()))]
        child = await spawn(launch, orders.modules[member.role], fds)
        table.store(ProcessColumn.PID, member.row, child.pid)
        return child

    def is_ready(self, member: Member) -> bool:
        ready = self._table(member).state(member.row) is ProcessState.READY
        if ready and member.role is Role.WORKER:
            said = read_said(self._sheets.said(sheet_of(member.role, member.row)))
            self._capabilities = msgspec.json.encode(said.capabilities)
        return ready

    def beat(self, member: Member) -> float:
        return self._table(member).load(ProcessColumn.HEARTBEAT, member.row) / 1e9

    def in_hand(self, member: Member) -> Mapping[Work, InHand]:
        return self._sheets.in_hand(sheet_of(member.role, member.row))

    def failure(self, member: Member) -> StarlingError | None:
        return read_said(self._sheets.said(sheet_of(member.role, member.row))).failure

    def suspect(self, keys: Sequence[int]) -> None:
        self._sheets.suspect(keys)

    def cleared(self, member: Member) -> None:
        table = self._table(member)
        table.store(ProcessColumn.STATE, member.row, ProcessState.ABSENT)
        table.store(ProcessColumn.PID, member.row, 0)
        table.store(ProcessColumn.HEARTBEAT, member.row, 0)
        self._sheets.clear(sheet_of(member.role, member.row))

    def _table(self, member: Member) -> Table:
        return self._arena.workers if member.role is Role.WORKER else self._arena.gateway
