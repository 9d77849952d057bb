"""Going on with the sessions of another gateway: the audio log, results and directory outlive it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starling.auth.tenants import Principal
from starling.core.errors import NotResumable, StarlingError
from starling.core.records import Ended, EndReason
from starling.core.sessions import SessionEntry
from starling.gateway.access import Access
from starling.gateway.admission import Admission
from starling.gateway.chronicle import Chronicle
from starling.gateway.options import GatewayOptions
from starling.gateway.ports import Ports
from starling.gateway.resumption import digest, not_resumable
from starling.gateway.seats import Seats
from starling.gateway.stream import StreamSession
from starling.telemetry.logs import get_logger
from starling.telemetry.spans import log_ids

log = get_logger(__name__)


class Adoption:
    """Adopts what the directory knows and nobody here has: all of it where a gateway was replaced, or what a client asks for."""

    def __init__(self, options: GatewayOptions, ports: Ports, access: Access, admission: Admission, seats: Seats) -> None:
        self._options = options
        self._ports = ports
        self._access = access
        self._admission = admission
        self._seats = seats
        self._arriving: dict[str, asyncio.Task[StreamSession]] = {}
        self._living: set[asyncio.Task[None]] = set()

    async def adopt(self) -> int:
        """Go on with the sessions that a gateway before this one left: each waits its grace time for its client.

        Returns how many there are.
        """
        entries = [entry for entry in await self._ports.directory.entries() if entry.session_id not in self._seats]
        for entry in entries:
            self._arrive(entry)
        log.info("sessions adopted", sessions=len(entries))
        return len(entries)

    async def fetch(self, token: str, principal: Principal) -> StreamSession:
        """The session of ``token`` that another gateway has, or had: from now on it is here. Raises NotResumable."""
        entry = await self._ports.directory.find(digest(token))
        if entry is None or entry.tenant != principal.tenant.name:
            raise not_resumable()
        if entry.session_id in self._seats:  # this gateway's own: it came just now, or is not waited for any more
            return self._seats.resumables.find(token)
        log.info("session fetched", **_ids(entry))
        return await asyncio.shield(self._arrive(entry))

    def _arrive(self, entry: SessionEntry) -> asyncio.Task[StreamSession]:
        """The task that takes the session over, whoever asked for it first."""
        task = self._arriving.get(entry.session_id)
        if task is None:
            task = asyncio.create_task(self._take(entry), name=f"adopting {entry.session_id}")
            self._arriving[entry.session_id] = task
            task.add_done_callback(lambda done: self._arrived(entry, done))
        return task

    def _arrived(self, entry: SessionEntry, task: asyncio.Task[StreamSession]) -> None:
        del self._arriving[entry.session_id]
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, NotResumable):
            log.error("session not adopted", **_ids(entry), reason=str(error))

    async def _take(self, entry: SessionEntry) -> StreamSession:
        principal = Principal(tenant=self._access.tenant(entry.tenant, entry.priority))
        allowance = self._seats.allowance(principal)
        await self._ports.directory.claim(entry.session_id)
        try:
            session = await StreamSession.adopted(
                entry, self._options, self._ports, allowance=allowance, resumables=self._seats.resumables
            )
        except NotResumable:
            await self.give_up(entry.session_id, entry)
            raise
        self._seats.take(session, entry.session_id, principal, allowance)
        task = asyncio.create_task(self._live(entry.session_id, principal), name=f"adopted {entry.session_id}")
        self._living.add(task)
        task.add_done_callback(self._living.discard)
        return session

    async def _live(self, session_id: str, principal: Principal) -> None:
        with self._admission.hold(principal):
            await self._seats.live(session_id)

    async def give_up(self, session_id: str, entry: SessionEntry | None) -> None:
        """End a session that nobody can go on with. ``entry``: what is known of it, if anything is."""
        ids = {"session_id": session_id} if entry is None else _ids(entry)
        log.info("session ended", **ids, reason=EndReason.DISCONNECTED)
        if entry is not None:
            Chronicle.adopted(entry, self._ports).abandoned(EndReason.DISCONNECTED)
        self._ports.metrics.sessions_ended.labels(reason=EndReason.DISCONNECTED).inc()
        with suppress(StarlingError):
            tail = await self._ports.audio_log.tail(session_id)
            await self._ports.audio_log.append(Ended(session_id, tail.sequence + 1, EndReason.DISCONNECTED))
        await self._ports.results.forget(session_id)
        await self._ports.directory.remove(session_id)


def _ids(entry: SessionEntry) -> dict[str, str]:
    """What a line of the log has of it."""
    return {"session_id": entry.session_id, "trace_id": entry.trace_id, **log_ids(entry.span)}
