"""The crew of one host: child processes over one arena."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import msgspec

from starling.bus.shared.arena import Arena, Table
from starling.bus.shared.layout import ProcessColumn, ProcessState
from starling.core.errors import StarlingError
from starling.core.ports import Clock, Work
from starling.supervisor.copies import Copy
from starling.supervisor.crew import Child
from starling.supervisor.fleet import Member
from starling.supervisor.launch import Launch, Role, spawn
from starling.supervisor.presence import read_said
from starling.supervisor.restarts import Restarts
from starling.supervisor.sheets import InHand, Sheets
from starling.supervisor.template import Template, adopt_orphans
from starling.supervisor.templates import TemplateFailed, Templates

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
        case Role.TRANSCRIBER:
            raise ValueError("the transcriber has the last of the sheets, behind those of all workers")
        case Role.TEMPLATE:
            raise ValueError("the template has no sheet: whom it is copied to has one")


def template_name(role: Role) -> str:
    """What the template of ``role`` is called in logs."""
    return f"{Role.TEMPLATE}-{role}"


def worker_name(row: int) -> str:
    """The id under which the worker with this row posts its load."""
    return f"{Role.WORKER}-{row}"


@dataclass(slots=True, kw_only=True)
class Orders:
    """What new members are started with. ``settings``: as JSON, replaced on a reload. ``modules``: what ``python -m`` runs as
    the template of each role.

    ``cores``: one for each worker's seat; those beyond are not pinned. ``listener``: the number of the socket; ``dialects``:
    those of dialects with a port of their own, by their names.
    """

    settings: bytes
    modules: Mapping[Role, str]
    cores: Sequence[int]
    listener: int
    dialects: Mapping[str, int] = field(default_factory=dict)


class LocalCrew:
    """Crew of processes, each a copy of the template of its role. ``close`` it when they are gone."""

    def __init__(self, arena: Arena, sheets: Sheets, orders: Orders, *, clock: Clock, restarts: Callable[[], Restarts]) -> None:
        """``restarts``: of one template."""
        self._arena = arena
        self._sheets = sheets
        self._orders = orders
        self._capabilities = b"null"
        self._templates = {
            role: Templates(template_name(role), partial(self._start_template, role), _is_ready, restarts(), clock)
            for role in orders.modules
        }
        adopt_orphans()

    async def start(self, member: Member) -> Child:
        self._table(member).store(ProcessColumn.STATE, member.row, ProcessState.STARTING)
        return Copy(self._copy(member), self._templates[member.role].renew)

    def renew(self) -> None:
        """Workers are copied from a new template from now on, made with the orders of now."""
        self._templates[Role.WORKER].renew()

    async def close(self) -> None:
        """End the templates."""
        for templates in self._templates.values():
            await templates.close()

    async def _copy(self, member: Member) -> int:
        cores, sheet = self._orders.cores, sheet_of(member.role, member.row)
        core = cores[member.seat] if member.role is Role.WORKER and member.seat < len(cores) else None
        launch = msgspec.structs.replace(self._launch(member.role, sheet, member.name), worker=member.row, core=core)
        try:
            pid = await self._templates[member.role].copy(msgspec.json.encode(launch))
        except TemplateFailed as failed:
            self._sheets.say(sheet, failed.said)  # what keeps the template from its work keeps its copy from it
            raise
        self._table(member).store(ProcessColumn.PID, member.row, pid)
        return pid

    async def _start_template(self, role: Role) -> Template:
        ours, its = Template.channel()
        with its:
            launch = msgspec.structs.replace(self._launch(Role.TEMPLATE, -1, template_name(role)), requests=its.fileno())
            fds = [*self._arena.fds, self._sheets.fd, its.fileno()]
            if role is Role.GATEWAY:
                fds += [self._orders.listener, *self._orders.dialects.values()]
            try:
                process = await spawn(launch, self._orders.modules[role], fds)
            except BaseException:
                ours.close()
                raise
        return Template(process, ours)

    def _launch(self, role: Role, sheet: int, name: str) -> Launch:
        return Launch(
            role=role,
            row=sheet,
            worker=0,
            name=name,
            core=None,
            settings=msgspec.Raw(self._orders.settings),
            capabilities=msgspec.Raw(self._capabilities),
            arena=self._arena.fd,
            sheets=self._sheets.fd,
            listener=self._orders.listener,
            dialects=self._orders.dialects,
            parent=os.getpid(),
        )

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


def _is_ready(said: bytes) -> bool:
    return bool(said) and read_said(said).failure is None
