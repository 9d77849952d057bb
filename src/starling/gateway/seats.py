"""Who is connected: each session of this gateway in its seat, in sight of operators and of a drain."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from starling.auth.tenants import Principal
from starling.core.errors import Dismissed, NotResumable, ShuttingDown, Unauthenticated
from starling.core.tracing import Trace, new_trace_id
from starling.gateway.access import Access
from starling.gateway.admission import GOODBYE, Admission
from starling.gateway.allowance import RECHECK, REVOKED, Allowance
from starling.gateway.connection import Connection
from starling.gateway.glossaries import Glossaries
from starling.gateway.listing import Identity
from starling.gateway.options import GatewayOptions
from starling.gateway.ports import Ports
from starling.gateway.quotas import Quotas
from starling.gateway.readers import Readers
from starling.gateway.resumption import Resumables
from starling.gateway.stream import StreamSession
from starling.telemetry.logs import get_logger
from starling.telemetry.spans import SpanName, log_ids

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One session at this gateway. ``since``: when it connected, with its time zone."""

    session: StreamSession
    session_id: str
    principal: Principal
    allowance: Allowance
    since: datetime


class Seats:
    """The sessions of a gateway. ``resumables``: those that a client may come back to; ``readers``: whose bytes are read."""

    def __init__(self, options: GatewayOptions, ports: Ports, access: Access, admission: Admission, quotas: Quotas) -> None:
        self._options = options
        self._ports = ports
        self._access = access
        self._admission = admission
        self._quotas = quotas
        self._glossaries = Glossaries()
        self.readers = Readers(ports.witness)
        self.resumables: Resumables[StreamSession] = Resumables()
        self._seats: dict[str, Seat] = {}
        self._left = asyncio.Event()

    @property
    def taken(self) -> Sequence[Seat]:
        """Every session that is connected here, in the order they came."""
        return list(self._seats.values())

    @property
    def backlog(self) -> int:
        """Results that wait for clients."""
        return sum(seat.session.backlog for seat in self._seats.values())

    def __contains__(self, session_id: str) -> bool:
        return session_id in self._seats

    async def converse(
        self, connection: Connection, principal: Principal, trace: Trace, opened: Callable[[], None], *, address: str
    ) -> None:
        """A new session over ``connection``, from its client's first frame to the last. ``opened``: see StreamSession."""
        session_id = secrets.token_hex(8)
        connection.reading = self.readers.of(address)
        tenant, allowance = principal.tenant, self.allowance(principal, address)
        span = self._ports.tracer.root(trace)
        session = StreamSession(
            Identity(
                session_id=session_id,
                trace_id=trace.trace_id,
                tenant=tenant.name,
                priority=tenant.priority,
                span=span,
            ),
            connection,
            self._options,
            self._ports,
            allowance=allowance,
            resumables=self.resumables,
            opened=opened,
        )
        log.info(
            "client admitted",
            session_id=session_id,
            trace_id=trace.trace_id,
            **log_ids(span),
            tenant=principal.tenant.name,
            key_id=principal.key_id,
        )
        await self.occupy(session, session_id, principal, allowance)

    async def occupy(self, session: StreamSession, session_id: str, principal: Principal, allowance: Allowance) -> None:
        """Let ``session`` live, in sight of operators and of a drain."""
        self.take(session, session_id, principal, allowance)
        await self.live(session_id)

    def take(self, session: StreamSession, session_id: str, principal: Principal, allowance: Allowance) -> None:
        """Show ``session`` to operators and to a drain; ``live`` is to follow."""
        since = datetime.now(UTC)
        self._seats[session_id] = Seat(
            session=session, session_id=session_id, principal=principal, allowance=allowance, since=since
        )
        if self._admission.draining:  # it began while the upgrade was under way
            session.depart(ShuttingDown(GOODBYE))

    async def live(self, session_id: str) -> None:
        """Let a session that was taken live."""
        try:
            await self._seats[session_id].session.run()
        finally:
            del self._seats[session_id]
            self._left.set()

    def allowance(self, principal: Principal, address: str = "") -> Allowance:
        """How fast ``principal`` may send in one session from ``address``."""
        clock = self._ports.clock
        return Allowance(
            principal, self._options, self._access, self._quotas, clock, glossaries=self._glossaries, address=address
        )

    def claim(self, session: StreamSession, principal: Principal) -> None:
        """From now on the key of ``principal`` counts for ``session``. Raises NotResumable if it speaks for another tenant."""
        seat = next((seat for seat in self._seats.values() if seat.session is session), None)
        if seat is None or seat.principal.tenant.name != principal.tenant.name:
            raise NotResumable("no session of this API key's tenant waits for this token; start a new one")
        seat.allowance.present(principal)
        self._seats[seat.session_id] = replace(seat, principal=principal)

    async def recall(self, token: str) -> StreamSession | None:
        """The session of ``token`` that is here. None where there is none, or none any more: a client that was at another
        gateway meanwhile left a session here that knows nothing of what came there.
        """
        while token in self.resumables:
            session = self.resumables.find(token)
            if not await session.moved():
                return session
            session.leave()
            while any(seat.session is session for seat in self._seats.values()):
                self._left.clear()
                await self._left.wait()
        return None

    def dismiss(self, session_id: str, tenant: str | None, by: str) -> bool:
        """End a session as if the server were drained, with the reason to its client. False if it is not connected here.

        ``tenant``: whose it must be, None for anybody's; ``by``: the id of the key with which it is wanted.
        """
        seat = self._seats.get(session_id)
        if seat is None or tenant not in {None, seat.principal.tenant.name}:
            return False
        ids = seat.session.log_ids
        log.info("session dismissed", session_id=session_id, **ids, by=by)
        self._ports.metrics.sessions_dismissed.inc()
        who = "an operator of this server" if tenant is None else "somebody with an API key of its tenant"
        seat.session.stop(Dismissed(f"{who} ended the session"))
        return True

    async def watch_keys(self) -> None:
        """End sessions whose keys are revoked, also of clients that say nothing. For ever."""
        while True:
            await asyncio.sleep(RECHECK)
            self.recheck()

    def recheck(self) -> None:
        """End the sessions whose keys are not good any more."""
        for seat in self._seats.values():
            if not self._access.still(seat.principal):
                seat.session.stop(Unauthenticated(REVOKED))

    async def vacate(self, grace: float) -> int:
        """Hand sessions over where there are other gateways; let the rest finish their open segments, for ``grace`` seconds.

        Nobody who is away, or loses its connection meanwhile, is waited for.

        Returns how many sessions are still there.
        """
        handed_over = 0
        span = self._ports.tracer.begin(self._ports.tracer.root(Trace(trace_id=new_trace_id())), SpanName.DRAIN)
        span.set({"starling.sessions": len(self._seats), "starling.grace_seconds": grace})
        for seat in self._seats.values():
            handed_over += seat.session.depart(ShuttingDown(GOODBYE))
        log.info("draining", sessions=len(self._seats), handed_over=handed_over, grace_seconds=grace)
        try:
            async with asyncio.timeout(grace):
                while self._seats:
                    self._left.clear()
                    await self._left.wait()
        except TimeoutError:
            log.warning("sessions did not finish in time", sessions=len(self._seats))
        span.set({"starling.sessions_handed_over": handed_over})
        span.end(error="unfinished" if self._seats else "")
        return len(self._seats)
