"""Clients of other servers: from their request to their last session, each refused and served as it is used to."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from starlette.websockets import WebSocket, WebSocketDisconnect

from starling.auth.tenants import Principal
from starling.core.errors import ShuttingDown, StarlingError
from starling.core.tracing import Trace, new_trace_id, trace_of
from starling.gateway.access import address_of
from starling.gateway.admission import Admission
from starling.gateway.connection import Connection
from starling.gateway.door import Door
from starling.gateway.foreign import accepted, head_of, refused
from starling.gateway.offers import Ability, offer
from starling.gateway.options import GatewayOptions
from starling.gateway.seats import Seats
from starling.gateway.socket import Gone, Socket, Wire
from starling.protocols.dialects import Dialect
from starling.protocols.foreign import Head
from starling.protocols.verbs import Adapter, Offer
from starling.telemetry.metrics import Metrics


class Foreigners:
    """Serves them in every dialect. ``ability``: what the engine can do."""

    def __init__(
        self,
        options: GatewayOptions,
        ability: Ability,
        metrics: Metrics,
        *,
        door: Door,
        admission: Admission,
        seats: Seats,
    ) -> None:
        self._options = options
        self._ability = ability
        self._metrics = metrics
        self._door = door
        self._admission = admission
        self._seats = seats

    async def serve(self, websocket: WebSocket, dialect: Dialect) -> None:
        """One client from its upgrade request on. It is refused as the server whose dialect it speaks does."""
        trace = trace_of(websocket.headers)
        head = head_of(websocket, trace.trace_id)
        address = address_of(websocket)
        try:
            try:
                principal = self._door.identify_foreigner(dialect, head, address)
                async with self._admission.admit(address, principal) as opened:
                    adapter = dialect.adapter(offer(principal.tenant, self._ability.capabilities, self._options.defaults), head)
                    await websocket.accept(dialect.subprotocol(head.subprotocols), accepted(dialect, trace.trace_id))
                    connection = self._connection(self._socket(websocket), dialect, adapter)
                    await self._converse(connection, principal, address, trace, opened)
            except StarlingError as error:
                if not dialect.refuses_inside or not await self._refuse_inside(websocket, dialect, head, error):
                    await websocket.send_denial_response(refused(dialect, error))
        except WebSocketDisconnect:
            pass  # gone before the upgrade was done

    async def serve_plainly(self, wire: Wire, dialect: Dialect, address: str) -> None:
        """A client of a dialect of plain TCP, which knows no request: it is refused once it has said what it wants."""
        trace = Trace(trace_id=new_trace_id())
        head = Head(trace_id=trace.trace_id)
        try:
            principal = self._door.identify_foreigner(dialect, head, address)
            async with self._admission.admit(address, principal) as opened:
                adapter = dialect.adapter(offer(principal.tenant, self._ability.capabilities, self._options.defaults), head)
                await self._converse(self._connection(wire, dialect, adapter), principal, address, trace, opened)
        except StarlingError as error:
            if self._ability.known is None:
                await wire.close(0)  # as if nobody listened yet: how its dialect refuses depends on what the engine can do
                return
            adapter = dialect.adapter(Offer(capabilities=self._ability.capabilities, defaults=self._options.defaults), head)
            await _decline(Connection(wire, adapter, self._options, self._metrics), error)

    async def serve_call(self, wire: Wire, dialect: Dialect, head: Head, address: str) -> None:
        """A call of a dialect of gRPC. Raises the StarlingError with which it is refused."""
        principal = self._door.identify_foreigner(dialect, head, address)
        async with self._admission.admit(address, principal) as opened:
            adapter = dialect.adapter(offer(principal.tenant, self._ability.capabilities, self._options.defaults), head)
            await self._converse(
                self._connection(wire, dialect, adapter), principal, address, trace_of(head.headers, head.trace_id), opened
            )

    def offer_to(self, dialect: Dialect, head: Head, address: str) -> tuple[Principal, Offer]:
        """Who sent ``head``, and what is here for it. Raises the StarlingError with which it is refused."""
        principal = self._door.identify_foreigner(dialect, head, address)
        return principal, offer(principal.tenant, self._ability.capabilities, self._options.defaults)

    async def _refuse_inside(self, websocket: WebSocket, dialect: Dialect, head: Head, error: StarlingError) -> bool:
        """Let a client say what it wants, which the answer needs, and refuse it. False if the dialect takes no such request."""
        try:
            adapter = dialect.adapter(Offer(capabilities=self._ability.capabilities, defaults=self._options.defaults), head)
        except StarlingError:
            return False
        await websocket.accept(subprotocol=dialect.subprotocol(head.subprotocols))
        await _decline(self._connection(self._socket(websocket), dialect, adapter), error)
        return True

    def _socket(self, websocket: WebSocket) -> Socket:
        return Socket(websocket, send_timeout=self._options.send_timeout)

    def _connection(self, wire: Wire, dialect: Dialect, adapter: Adapter) -> Connection:
        options = self._options
        if dialect.idle_timeout is not None:
            options = replace(options, idle_timeout=dialect.idle_timeout)
        return Connection(wire, adapter, options, self._metrics, patient=True, protocol=dialect.name)

    async def _converse(
        self, connection: Connection, principal: Principal, address: str, trace: Trace, opened: Callable[[], None]
    ) -> None:
        """Session after session, for as long as the connection carries more of them."""
        await self._seats.converse(connection, principal, trace, opened, address=address)
        while not connection.finished.is_set():
            await self._converse_again(connection, principal, address)

    async def _converse_again(self, connection: Connection, principal: Principal, address: str) -> None:
        """One more session on a connection. As many of them make their client wait as connections would be refused."""
        wait = 0.0

        def opened() -> None:
            nonlocal wait
            wait = self._admission.another(address, principal)

        await self._seats.converse(connection, principal, Trace(trace_id=new_trace_id()), opened, address=address)
        if not connection.finished.is_set():
            with suppress(ShuttingDown):  # which its next session hears of
                await connection.arrivals.rest(wait)


async def _decline(connection: Connection, error: StarlingError) -> None:
    """Let a client say what it wants, which the answer needs, and refuse it."""
    try:
        await connection.greeting()
    except Gone:
        pass
    except StarlingError as other:
        await connection.refuse(other)
    else:
        await connection.refuse(error)
    await connection.close()
