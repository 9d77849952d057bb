"""The gateway: its parts, how Starling's own clients are served, and how all clients are let go."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect

from starling.auth.tenants import Principal, Tenant
from starling.core.audio import seconds
from starling.core.errors import Forbidden, InvalidMessage, NotResumable, ServerError, StarlingError
from starling.core.languages import match_language
from starling.core.ports import Capabilities
from starling.core.sessions import SessionEntry
from starling.core.tracing import trace_of
from starling.gateway.access import Access, Overseer, address_of, agreed_subprotocol
from starling.gateway.admission import Admission
from starling.gateway.adoption import Adoption
from starling.gateway.connection import Connection
from starling.gateway.door import Door
from starling.gateway.foreign import head_of
from starling.gateway.foreigners import Foreigners
from starling.gateway.guard import Guard
from starling.gateway.offers import Ability, offer
from starling.gateway.options import GatewayOptions
from starling.gateway.ports import Ports
from starling.gateway.quotas import Quotas
from starling.gateway.readers import Readers
from starling.gateway.recordings.couriers import Couriers
from starling.gateway.recordings.desk import Desk
from starling.gateway.recordings.figures import Figures
from starling.gateway.refusals import refusal
from starling.gateway.roll import Roll
from starling.gateway.seats import Seat, Seats
from starling.gateway.socket import Gone, Socket, Wire
from starling.gateway.stream import StreamSession
from starling.protocols.dialects import Dialect
from starling.protocols.foreign import Head
from starling.protocols.native.adapter import NativeAdapter
from starling.protocols.verbs import Offer, Resume
from starling.telemetry.health import Health
from starling.telemetry.logs import get_logger
from starling.telemetry.status import audio_queue, report

log = get_logger(__name__)


class Gateway:
    """Serves WebSocket clients. ``health`` is that of the whole process: nobody is admitted before it is ready.

    ``capabilities``: None where they are not known yet; ``begin`` once they are. Clients that come back to their sessions before
    are told to come again. ``wall``: seconds since 1970, for days of quotas. Raises InvalidOption when the language of
    ``options.defaults`` is none of ``capabilities``.
    """

    def __init__(
        self,
        options: GatewayOptions,
        ports: Ports,
        capabilities: Capabilities | None,
        health: Health,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.options = options
        self.ports = ports
        self.ability = Ability(retry_after=options.retry_after)
        self.health = health
        self.guard = Guard(options)
        self.access = Access(options, ports.clock, ports.notary, wall=wall)
        quotas = Quotas(ports.clock.now, wall)
        self._door = Door(options, self.guard, self.access, ports.metrics)
        self._admission = Admission(options, ports, health, quotas)
        self._seats = Seats(options, ports, self.access, self._admission, quotas)
        self.roll = Roll(self._seats, ports)
        self._adoption = Adoption(options, ports, self.access, self._admission, self._seats)
        self._foreigners = Foreigners(
            options, self.ability, ports.metrics, door=self._door, admission=self._admission, seats=self._seats
        )
        self.desk: Desk | None = None
        self.couriers: Couriers | None = None
        self.figures: Figures | None = None
        if ports.recordings is not None:
            self.desk = Desk(
                options,
                ports.recordings,
                self.ability,
                quotas,
                clock=ports.clock,
                wall=wall,
                metrics=ports.metrics,
                tracer=ports.tracer,
            )
            self.couriers = Couriers(ports.recordings, self.ability, ports.metrics, wall=wall, tracer=ports.tracer)
            self.figures = Figures(ports, ports.recordings.store, wall)
        ports.metrics.result_backlog.set_function(lambda: self._seats.backlog)
        if capabilities is not None:
            self._learn(capabilities)

    @property
    def readers(self) -> Readers:
        """Whose bytes are read."""
        return self._seats.readers

    @property
    def active(self) -> int:
        """Sessions that hold a place."""
        return self._admission.active

    @property
    def seats(self) -> Sequence[Seat]:
        """Every session that is connected here, in the order they came."""
        return self._seats.taken

    async def serve(self, websocket: WebSocket) -> None:
        """One client from its upgrade request on. A refusal is an HTTP response, before the upgrade."""
        address = address_of(websocket)
        try:
            principal = self._door.identify(websocket.headers, address)
            if "resume" in websocket.query_params:
                self._check_begun()
                with self._admission.admit_again(address, principal) as greeted:
                    await self._door.enter(principal)
                    await self._resume(websocket, principal, greeted)
                return
            async with self._admission.admit(address, principal) as opened:
                await self._door.enter(principal)
                await websocket.accept(subprotocol=agreed_subprotocol(websocket.headers))
                connection = self._connection(websocket, principal.tenant)
                await self._seats.converse(connection, principal, trace_of(websocket.headers), opened, address=address)
        except StarlingError as error:
            await websocket.send_denial_response(refusal(error))
        except WebSocketDisconnect:
            pass  # gone before the upgrade was done

    def status(self) -> dict[str, Any]:
        """What ``/status`` says."""
        lag, limit = seconds(self.ports.audio_log.lag()), self.options.max_lag_seconds
        told = report("gateway", self.ports.metrics, self.health, queue=audio_queue(lag, limit), model=self.ability.known)
        return told if self.ports.facts is None else {**told, **self.ports.facts()}

    def identify(self, headers: Headers, address: str) -> Principal:
        """Who sent a request, from a page that may. Raises Forbidden, Unauthenticated, QuotaExceeded and KeysUnavailable.

        A ticket opens a connection, and no request: whoever has seen one could repeat it else.
        """
        principal = self._door.identify(headers, address)
        if principal.ticket:
            raise Forbidden("a ticket opens one WebSocket and nothing else: show the API key")
        return principal

    def identify_foreigner(self, dialect: Dialect, request: HTTPConnection, address: str) -> Principal:
        """The same for a client of another server, which shows its key as it does there."""
        return self._door.identify_foreigner(dialect, head_of(request, trace_of(request.headers).trace_id), address)

    def identify_listener(self, headers: Headers, passed: str, job_id: str, address: str) -> Principal:
        """The same for who wants to hear the recording of a job, with ``passed`` for it instead of a key."""
        return self._door.identify_listener(headers, passed, job_id, address)

    def identify_operator(self, headers: Headers, address: str) -> Principal:
        """The same for who may see and end the sessions of others."""
        return self._door.identify_operator(headers, address)

    def identify_overseer(self, headers: Headers, address: str) -> Overseer:
        """Whose sessions a request may see and end."""
        return self._door.identify_overseer(headers, address)

    def consider(self, headers: Headers, address: str) -> Principal:
        """Who would be let in with ``headers`` from ``address``. Raises what would be answered to its upgrade."""
        principal = self._door.identify(headers, address)
        self._admission.consider(address, principal)
        return principal

    async def tell_callbacks(self) -> None:
        """Tell callbacks that their jobs are over, for ever."""
        if self.couriers is not None:
            await self.couriers.run()

    async def watch_keys(self) -> None:
        """End sessions whose keys are revoked, for ever."""
        if not self.access.open:
            await self._seats.watch_keys()

    async def keep_accounts(self) -> None:
        """Count what jobs that are over really took of their tenants' quotas, for ever."""
        if self.desk is not None:
            await self.desk.accounts.run()

    async def keep_figures(self) -> None:
        """Keep what the dashboard's charts show, for ever."""
        if self.figures is not None:
            await self.figures.run()

    async def serve_dialect(self, websocket: WebSocket, dialect: Dialect) -> None:
        """The same for a client of another server. It is refused as that server does."""
        await self._foreigners.serve(websocket, dialect)

    async def serve_plain(self, wire: Wire, dialect: Dialect, address: str) -> None:
        """The same for one at ``address`` that speaks a dialect of plain TCP."""
        await self._foreigners.serve_plainly(wire, dialect, address)

    async def serve_call(self, wire: Wire, dialect: Dialect, head: Head, address: str) -> None:
        """The same for a call of a dialect of gRPC, which began with ``head``. Raises the error with which it is refused."""
        await self._foreigners.serve_call(wire, dialect, head, address)

    def offer_to(self, dialect: Dialect, head: Head, address: str) -> tuple[Principal, Offer]:
        """Who sent ``head`` in ``dialect``, and what is here for it. Raises the StarlingError with which it is refused."""
        return self._foreigners.offer_to(dialect, head, address)

    async def _resume(self, websocket: WebSocket, principal: Principal, greeted: Callable[[], None]) -> None:
        """Give the connection to the session that its client comes back to, and wait for the end of it."""
        await websocket.accept(subprotocol=agreed_subprotocol(websocket.headers))
        connection = self._connection(websocket, principal.tenant)
        connection.reading = self.readers.of(address_of(websocket))
        try:
            opening, *_ = await connection.greeting()
            if not isinstance(opening, Resume):
                raise InvalidMessage("expected resume, got start: for a new session, connect to /v1/stream")
            session = await self._session_of(connection, opening.token, principal)
            self._seats.claim(session, principal)
            greeted()
            await session.attach(connection, opening, self._seats.allowance(principal, address_of(websocket)))
        except Gone:
            pass
        except ServerError as error:  # which passes: the client comes again if nobody tells it not to
            log.warning("resumption failed", code=error.code, reason=error.message)
            connection.verdict = type(error)
        except StarlingError as error:
            log.info("resumption refused", code=error.code)
            if isinstance(error, NotResumable):
                self.ports.metrics.sessions_resumed.labels(outcome="refused").inc()
            await connection.refuse(error)
        if not connection.finished.is_set():
            await connection.close()

    async def _session_of(self, connection: Connection, token: str, principal: Principal) -> StreamSession:
        """The session of ``token``, which is this gateway's now.

        Raises NotResumable where it is nobody's, here or elsewhere; Gone where only other gateways may go on, or where the client
        gave up ``connection`` meanwhile: it may be at another one by now.
        """
        if self._admission.draining and self.ports.shared:  # this client was let in just before
            raise Gone
        while (session := await self._seats.recall(token)) is None:
            await self._adoption.fetch(token, principal)
            await connection.socket.pause()
        return session

    async def begin(self, capabilities: Capabilities) -> None:
        """Recognition can do this: let clients in, and go on with the sessions that a gateway before this one left.

        Raises InvalidOption when the language of the defaults is none of ``capabilities``.
        """
        self._learn(capabilities)
        await self.adopt()

    async def adopt(self) -> int:
        """Go on with the sessions that a gateway before this one left: each waits its grace time for its client.

        Returns how many there are.
        """
        return await self._adoption.adopt()

    def learn(self, capabilities: Capabilities) -> None:
        """Recognition can do this: let clients in. Where others are gateways too, sessions of theirs are not waited for.

        Raises InvalidOption when the language of the defaults is none of ``capabilities``.
        """
        self._learn(capabilities)

    def _learn(self, capabilities: Capabilities) -> None:
        match_language(self.options.defaults.language, capabilities.languages)
        self.ability.known = capabilities

    async def agree(self) -> None:
        """Sign what is given out in place of keys as all gateways do. Raises StoreUnavailable."""
        await self.access.agree()

    async def reconcile(self) -> None:
        """Tell other gateways what tenants used here, and count what they used there."""
        await self._admission.reconcile()

    def _check_begun(self) -> None:
        """Raises Overloaded to who comes back to a session before a gateway can go on with any."""
        if self.ability.known is None:
            self.ports.metrics.sessions_refused.labels(reason="starting").inc()
        _ = self.ability.capabilities

    async def abandon(self, session_id: str, entry: SessionEntry | None) -> None:
        """End a session that another gateway had, and whose client came nowhere else in time. ``entry``: what is known of it."""
        if session_id not in self._seats:
            await self._adoption.give_up(session_id, entry)

    def _connection(self, websocket: WebSocket, tenant: Tenant) -> Connection:
        socket = Socket(websocket, send_timeout=self.options.send_timeout)
        adapter = NativeAdapter(offer(tenant, self.ability.capabilities, self.options.defaults))
        return Connection(socket, adapter, self.options, self.ports.metrics)

    async def drain(self, grace: float) -> int:
        """Admit nobody any more, let every session finish its open segment, and wait for that up to ``grace`` seconds.

        Returns how many sessions are still there.
        """
        self._admission.drain()
        if self.desk is not None:
            self.desk.drain()
        self.health.drain("the server is shutting down")
        if self.desk is None:
            return await self._seats.vacate(grace)
        left, _ = await asyncio.gather(self._seats.vacate(grace), self.desk.vacate(grace))
        return left
