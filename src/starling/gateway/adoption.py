"""Going on with the sessions of a gateway that is gone: its audio log, results and directory outlive it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starling.auth.tenants import Principal
from starling.core.errors import NotResumable, StarlingError
from starling.core.records import Ended, EndReason
from starling.core.sessions import SessionEntry
from starling.gateway.access import Access
from starling.gateway.admission import Admission
from starling.gateway.options import GatewayOptions
from starling.gateway.ports import Ports
from starling.gateway.seats import Seats
from starling.gateway.stream import StreamSession
from starling.telemetry.logs import get_logger

log = get_logger(__name__)


class Adoption:
    """Adopts what the directory knows and nobody here has."""

    def __init__(self, options: GatewayOptions, ports: Ports, access: Access, admission: Admission, seats: Seats) -> None:
        self._options = options
        self._ports = ports
        self._access = access
        self._admission = admission
        self._seats = seats
        self._tasks: set[asyncio.Task[None]] = set()

    def adopt(self) -> int:
        """Go on with the sessions that a gateway before this one left: each waits its grace time for its client.

        Returns how many there are.
        """
        for entry in self._ports.directory.entries():
            if entry.session_id not in self._seats:
                task = asyncio.create_task(self._keep(entry), name=f"adopted {entry.session_id}")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        log.info("sessions adopted", sessions=len(self._tasks))
        return len(self._tasks)

    async def _keep(self, entry: SessionEntry) -> None:
        principal = Principal(tenant=self._access.tenant(entry.tenant, entry.priority))
        allowance = self._seats.allowance(principal)
        try:
            session = StreamSession.adopted(
                entry, self._options, self._ports, allowance=allowance, resumables=self._seats.resumables
            )
        except NotResumable:
            await self._give_up(entry)
            return
        with self._admission.hold(principal):
            await self._seats.occupy(session, entry.session_id, principal, allowance)

    async def _give_up(self, entry: SessionEntry) -> None:
        """End a session that nobody can go on with."""
        log.info("session ended", session_id=entry.session_id, reason=EndReason.DISCONNECTED)
        self._ports.metrics.sessions_ended.labels(reason=EndReason.DISCONNECTED).inc()
        with suppress(StarlingError):
            tail = self._ports.audio_log.tail(entry.session_id)
            await self._ports.audio_log.append(Ended(entry.session_id, tail.sequence + 1, EndReason.DISCONNECTED))
        self._ports.results.forget(entry.session_id)
        self._ports.directory.remove(entry.session_id)
