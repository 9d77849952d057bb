"""The gateway: who is connected, who may be, and how all of them are let go."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from starlette.datastructures import Headers
from starlette.websockets import WebSocket, WebSocketDisconnect

from starling.auth.tenants import Feature, Principal, Tenant
from starling.core.errors import (
    Dismissed,
    Forbidden,
    InvalidMessage,
    KeysUnavailable,
    NotResumable,
    QuotaExceeded,
    ShuttingDown,
    StarlingError,
    Unauthenticated,
)
from starling.core.languages import match_language
from starling.core.ports import Capabilities
from starling.core.records import Ended, EndReason
from starling.core.sessions import SessionEntry
from starling.gateway.access import Access, address_of, agreed_subprotocol, is_loopback
from starling.gateway.admission import GOODBYE, Admission
from starling.gateway.allowance import Allowance
from starling.gateway.connection import Connection
from starling.gateway.foreign import accepted, head_of, identify, refused
from starling.gateway.guard import Guard
from starling.gateway.options import GatewayOptions
from starling.gateway.ports import Ports
from starling.gateway.quotas import Quotas
from starling.gateway.refusals import refusal
from starling.gateway.resumption import Resumables
from starling.gateway.socket import Gone, Socket
from starling.gateway.stream import Identity, StreamSession
from starling.protocols.dialects import Dialect
from starling.protocols.foreign import Head
from starling.protocols.native.adapter import NativeAdapter
from starling.protocols.verbs import Adapter, Offer, Resume
from starling.telemetry.health import Health
from starling.telemetry.logs import get_logger

log = get_logger(__name__)

REASONS: Final[dict[type[StarlingError], str]] = {
    Forbidden: "forbidden",
    Unauthenticated: "unauthenticated",
    QuotaExceeded: "attempts",
    KeysUnavailable: "keys",
}
"""Values of the label of ``Metrics.sessions_refused`` for who is not even known."""

TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
"""W3C Trace Context, section 3.2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One session at this gateway. ``since``: when it connected, with its time zone."""

    session: StreamSession
    session_id: str
    principal: Principal
    allowance: Allowance
    since: datetime


class Gateway:
    """Serves WebSocket clients. ``health`` is that of the whole process: nobody is admitted before it is ready.

    ``wall``: seconds since 1970, for days of quotas. Raises InvalidOption when the language of ``options.defaults`` is none of
    ``capabilities``.
    """

    def __init__(
        self,
        options: GatewayOptions,
        ports: Ports,
        capabilities: Capabilities,
        health: Health,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.options = options
        self.ports = ports
        self.capabilities = capabilities
        self.health = health
        self.guard = Guard(options)
        self.access = Access(options, ports.clock)
        self._quotas = Quotas(ports.clock.now, wall)
        self._admission = Admission(options, ports, health, self._quotas)
        match_language(options.defaults.language, capabilities.languages)
        self._seats: dict[str, Seat] = {}
        self._resumables: Resumables[StreamSession] = Resumables()
        self._adopted: set[asyncio.Task[None]] = set()
        self._left = asyncio.Event()
        ports.metrics.result_backlog.set_function(lambda: sum(seat.session.backlog for seat in self._seats.values()))

    @property
    def active(self) -> int:
        """Sessions that hold a place."""
        return self._admission.active

    @property
    def seats(self) -> Sequence[Seat]:
        """Every session that is connected here, in the order they came."""
        return list(self._seats.values())

    async def serve(self, websocket: WebSocket) -> None:
        """One client from its upgrade request on. A refusal is an HTTP response, before the upgrade."""
        address = address_of(websocket)
        try:
            principal = self.identify(websocket.headers, address)
            if "resume" in websocket.query_params:
                with self._admission.admit_again(address, principal) as greeted:
                    await self._resume(websocket, principal, greeted)
                return
            with self._admission.admit(address, principal) as opened:
                await websocket.accept(subprotocol=agreed_subprotocol(websocket.headers))
                connection, trace_id = self._connection(websocket, principal.tenant), _trace_id(websocket.headers)
                await self._converse(connection, principal, trace_id, opened)
        except StarlingError as error:
            await websocket.send_denial_response(refusal(error))
        except WebSocketDisconnect:
            pass  # gone before the upgrade was done

    def identify(self, headers: Headers, address: str) -> Principal:
        """Who sent a request, from a page that may. Raises Forbidden, Unauthenticated, QuotaExceeded and KeysUnavailable."""
        with self._counted():
            self.guard.check_origin(headers.get("origin"), headers.get("host"))
            return self.access.identify(headers, address)

    def identify_operator(self, headers: Headers, address: str) -> Principal:
        """The same for who may see and end the sessions of others."""
        self.guard.check_origin(headers.get("origin"), headers.get("host"))
        return self.access.identify_operator(headers, address)

    def consider(self, headers: Headers, address: str) -> Principal:
        """Who would be let in with ``headers`` from ``address``. Raises what would be answered to its upgrade."""
        principal = self.identify(headers, address)
        self._admission.consider(address, principal)
        return principal

    def dismiss(self, session_id: str, operator: Principal) -> bool:
        """End a session as if the server were drained, with the reason to its client. False if it is not connected here."""
        seat = self._seats.get(session_id)
        if seat is None:
            return False
        log.info("session dismissed", session_id=session_id, by=operator.key_id or "this machine")
        self.ports.metrics.sessions_dismissed.inc()
        seat.session.stop(Dismissed("an operator of this server ended the session"))
        return True

    async def serve_dialect(self, websocket: WebSocket, dialect: Dialect) -> None:
        """The same for a client of another server. It is refused as that server does."""
        trace_id = _trace_id(websocket.headers)
        head = head_of(websocket, trace_id)
        address = address_of(websocket)
        try:
            try:
                principal = self._identify_foreigner(websocket, dialect, head)
                with self._admission.admit(address, principal) as opened:
                    adapter = dialect.adapter(self._offer(principal.tenant), head)
                    await websocket.accept(dialect.subprotocol(head.subprotocols), accepted(dialect, trace_id))
                    connection = self._foreign_connection(websocket, dialect, adapter)
                    await self._converse(connection, principal, trace_id, opened)
                    while not connection.finished.is_set():
                        await self._converse_again(connection, principal, address)
            except StarlingError as error:
                if not dialect.refuses_inside or not await self._refuse_inside(websocket, dialect, head, error):
                    await websocket.send_denial_response(refused(dialect, error))
        except WebSocketDisconnect:
            pass  # gone before the upgrade was done

    def _identify_foreigner(self, websocket: WebSocket, dialect: Dialect, head: Head) -> Principal:
        with self._counted():
            self.guard.check_origin(head.headers.get("origin"), head.headers.get("host"))
            on_loopback = dialect.port is not None and is_loopback(self.options.protocols_host)
            return identify(self.access, dialect, head, websocket, on_loopback=on_loopback)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count whoever is refused before anybody knows who it is."""
        try:
            yield
        except StarlingError as error:
            self.ports.metrics.sessions_refused.labels(reason=REASONS[type(error)]).inc()
            raise

    async def _refuse_inside(self, websocket: WebSocket, dialect: Dialect, head: Head, error: StarlingError) -> bool:
        """Let a client say what it wants, which the answer needs, and refuse it. False if the dialect takes no such request."""
        try:
            adapter = dialect.adapter(Offer(capabilities=self.capabilities, defaults=self.options.defaults), head)
        except StarlingError:
            return False
        await websocket.accept(subprotocol=dialect.subprotocol(head.subprotocols))
        connection = self._foreign_connection(websocket, dialect, adapter)
        try:
            await connection.greeting()
        except Gone:
            pass
        except StarlingError as other:
            await connection.refuse(other)
        else:
            await connection.refuse(error)
        await connection.close()
        return True

    def _foreign_connection(self, websocket: WebSocket, dialect: Dialect, adapter: Adapter) -> Connection:
        options = self.options
        if dialect.idle_timeout is not None:
            options = replace(options, idle_timeout=dialect.idle_timeout)
        socket = Socket(websocket, send_timeout=options.send_timeout)
        return Connection(socket, adapter, options, self.ports.metrics, patient=True)

    async def _converse_again(self, connection: Connection, principal: Principal, address: str) -> None:
        """One more session on a connection. As many of them make their client wait as connections would be refused."""
        wait = 0.0

        def opened() -> None:
            nonlocal wait
            wait = self._admission.another(address, principal)

        await self._converse(connection, principal, secrets.token_hex(16), opened)
        if not connection.finished.is_set():
            with suppress(ShuttingDown):  # which its next session hears of
                await connection.arrivals.rest(wait)

    async def _converse(self, connection: Connection, principal: Principal, trace_id: str, opened: Callable[[], None]) -> None:
        session_id = secrets.token_hex(8)
        tenant, allowance = principal.tenant, self._allowance(principal)
        session = StreamSession(
            Identity(
                session_id=session_id,
                trace_id=trace_id,
                tenant=tenant.name,
                priority=tenant.priority,
            ),
            connection,
            self.options,
            self.ports,
            allowance=allowance,
            resumables=self._resumables,
            opened=opened,
        )
        log.info(
            "client admitted", session_id=session_id, trace_id=trace_id, tenant=principal.tenant.name, key_id=principal.key_id
        )
        await self._seated(session, session_id, principal, allowance)

    async def _seated(self, session: StreamSession, session_id: str, principal: Principal, allowance: Allowance) -> None:
        """Let ``session`` live, in sight of operators and of a drain."""
        since = datetime.now(UTC)
        self._seats[session_id] = Seat(
            session=session, session_id=session_id, principal=principal, allowance=allowance, since=since
        )
        if self._admission.draining:  # it began while the upgrade was under way
            session.stop(ShuttingDown(GOODBYE))
        try:
            await session.run()
        finally:
            del self._seats[session_id]
            self._left.set()

    async def _resume(self, websocket: WebSocket, principal: Principal, greeted: Callable[[], None]) -> None:
        """Give the connection to the session that its client comes back to, and wait for the end of it."""
        await websocket.accept(subprotocol=agreed_subprotocol(websocket.headers))
        connection = self._connection(websocket, principal.tenant)
        try:
            opening, *_ = await connection.greeting()
            if not isinstance(opening, Resume):
                raise InvalidMessage("expected resume, got start: for a new session, connect to /v1/stream")
            session = self._resumables.find(opening.token)
            self._claim(session, principal)
            greeted()
            await session.attach(connection, opening, self._allowance(principal))
        except Gone:
            pass
        except StarlingError as error:
            log.info("resumption refused", code=error.code)
            if isinstance(error, NotResumable):
                self.ports.metrics.sessions_resumed.labels(outcome="refused").inc()
            await connection.refuse(error)
        if not connection.finished.is_set():
            await connection.close()

    def _claim(self, session: StreamSession, principal: Principal) -> None:
        """From now on the key of ``principal`` counts for ``session``. Raises NotResumable if it speaks for another tenant."""
        seat = next((seat for seat in self._seats.values() if seat.session is session), None)
        if seat is None or seat.principal.tenant.name != principal.tenant.name:
            raise NotResumable("no session of this API key's tenant waits for this token; start a new one")
        seat.allowance.present(principal)
        self._seats[seat.session_id] = replace(seat, principal=principal)

    def adopt(self) -> int:
        """Go on with the sessions that a gateway before this one left: each waits its grace time for its client.

        Returns how many there are.
        """
        for entry in self.ports.directory.entries():
            if entry.session_id not in self._seats:
                task = asyncio.create_task(self._keep(entry), name=f"adopted {entry.session_id}")
                self._adopted.add(task)
                task.add_done_callback(self._adopted.discard)
        log.info("sessions adopted", sessions=len(self._adopted))
        return len(self._adopted)

    async def _keep(self, entry: SessionEntry) -> None:
        principal = Principal(tenant=self.access.tenant(entry.tenant, entry.priority))
        allowance = self._allowance(principal)
        try:
            session = StreamSession.adopted(entry, self.options, self.ports, allowance=allowance, resumables=self._resumables)
        except NotResumable:
            await self._give_up(entry)
            return
        with self._admission.hold(principal):
            await self._seated(session, entry.session_id, principal, allowance)

    async def _give_up(self, entry: SessionEntry) -> None:
        """End a session that nobody can go on with."""
        log.info("session ended", session_id=entry.session_id, reason=EndReason.DISCONNECTED)
        self.ports.metrics.sessions_ended.labels(reason=EndReason.DISCONNECTED).inc()
        with suppress(StarlingError):
            tail = self.ports.audio_log.tail(entry.session_id)
            await self.ports.audio_log.append(Ended(entry.session_id, tail.sequence + 1, EndReason.DISCONNECTED))
        self.ports.results.forget(entry.session_id)
        self.ports.directory.remove(entry.session_id)

    def _allowance(self, principal: Principal) -> Allowance:
        return Allowance(principal, self.options, self.access, self._quotas, self.ports.clock)

    def _connection(self, websocket: WebSocket, tenant: Tenant) -> Connection:
        socket = Socket(websocket, send_timeout=self.options.send_timeout)
        return Connection(socket, NativeAdapter(self._offer(tenant)), self.options, self.ports.metrics)

    def _offer(self, tenant: Tenant) -> Offer:
        """What the engine can do, as far as ``tenant`` may use it."""
        able = self.capabilities
        allowed = replace(
            able,
            word_times=able.word_times and tenant.may(Feature.WORDS),
            hotwords=able.hotwords and tenant.may(Feature.HOTWORDS),
        )
        return Offer(capabilities=allowed, defaults=self.options.defaults)

    async def drain(self, grace: float) -> int:
        """Admit nobody any more, let every session finish its open segment, and wait for that up to ``grace`` seconds.

        Returns how many sessions are still there.
        """
        self._admission.drain()
        self.health.drain("the server is shutting down")
        for seat in self._seats.values():
            seat.session.stop(ShuttingDown(GOODBYE))
        log.info("draining", sessions=len(self._seats), grace_seconds=grace)
        try:
            async with asyncio.timeout(grace):
                while self._seats:
                    self._left.clear()
                    await self._left.wait()
        except TimeoutError:
            log.warning("sessions did not finish in time", sessions=len(self._seats))
        return len(self._seats)


def _trace_id(headers: Headers) -> str:
    """The caller's trace id, or a new one."""
    traceparent = headers.get("traceparent")
    given = TRACEPARENT.fullmatch(traceparent) if traceparent else None
    return given[1] if given else secrets.token_hex(16)
