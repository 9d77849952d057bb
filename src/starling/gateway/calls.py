"""The port of a dialect of gRPC: its calls to sessions of the gateway, with the limits that hold everywhere."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc

from starling.core.errors import Forbidden, InvalidMessage, ServerError, StarlingError
from starling.core.tracing import trace_of
from starling.gateway.call import Call, Handle, address_of, end, head_of, metadata_of, next_message, refuse
from starling.gateway.gateway import Gateway
from starling.gateway.inquiries import Inquiries
from starling.gateway.options import GatewayOptions
from starling.gateway.tls import HANDSHAKE_TIMEOUT, Certificate
from starling.protocols.calls import Service
from starling.protocols.dialects import Dialect
from starling.telemetry.logs import get_logger

log = get_logger(__name__)

LARGEST: Final = 4 << 20
"""Bytes of a message that is a whole recording, which is what gRPC's servers take by default. One of a stream has the limit of
every other frame."""

WINDOW: Final = 1 << 16
"""Bytes that a stream may send before they are asked for (RFC 9113 section 5.2), as over the other sockets."""

KEEPALIVE: Final = 60.0
"""Seconds of silence after which a peer is asked whether it is there; it has a third of that to answer."""

PING_EVERY: Final = 10.0
"""Seconds between two pings of a client at least; who asks more often is disconnected."""


@asynccontextmanager
async def serving_calls(
    gateway: Gateway, dialect: Dialect, place: socket.socket, tls: Certificate | None, grace: float
) -> AsyncIterator[None]:
    """Take calls of ``dialect`` where ``place`` is bound, while the block runs; then they have ``grace`` seconds to end.

    Raises StarlingError when that address cannot be listened on.
    """
    assert dialect.service is not None
    calls = Calls(gateway, dialect, dialect.service)
    server = grpc.aio.server(
        handlers=[calls], options=channel_options(gateway.options), maximum_concurrent_rpcs=gateway.options.max_connections
    )
    address = authority(place)
    try:
        if tls is None:
            server.add_insecure_port(address)
        else:
            server.add_secure_port(address, credentials(tls))
    except RuntimeError:
        raise StarlingError(f"cannot take calls of {dialect.name} on {address}; choose another port") from None
    await server.start()
    try:
        yield
    finally:
        calls.inquiries.close()
        await server.stop(grace)
        place.close()


def largest(options: GatewayOptions) -> int:
    """Bytes of a message that is a whole recording."""
    return max(LARGEST, options.max_frame_bytes)


def channel_options(options: GatewayOptions) -> list[tuple[str, int]]:
    """The limits of ``options`` on gRPC's connections."""
    return [
        ("grpc.so_reuseport", 1),  # the place is held by a socket that does not listen
        ("grpc.max_receive_message_length", largest(options)),
        ("grpc.max_metadata_size", options.max_head_bytes),
        ("grpc.absolute_max_metadata_size", options.max_head_bytes),
        ("grpc.max_concurrent_streams", options.max_sessions),
        ("grpc.max_allowed_incoming_connections", options.max_connections),
        ("grpc.max_connection_idle_ms", _milliseconds(options.idle_timeout)),
        ("grpc.server_handshake_timeout_ms", _milliseconds(HANDSHAKE_TIMEOUT)),
        ("grpc.http2.lookahead_bytes", WINDOW),
        ("grpc.http2.bdp_probe", 0),  # which would widen the window
        ("grpc.http2.min_ping_interval_without_data_ms", _milliseconds(PING_EVERY)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.keepalive_time_ms", _milliseconds(KEEPALIVE)),
        ("grpc.keepalive_timeout_ms", _milliseconds(KEEPALIVE / 3)),
        ("grpc.compression_enabled_algorithms_bitset", 1),  # none: audio gets no smaller, and a few bytes could become megabytes
    ]


class Calls(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Takes the calls of one service."""

    def __init__(self, gateway: Gateway, dialect: Dialect, service: Service) -> None:
        self._gateway = gateway
        self._dialect = dialect
        self.inquiries = Inquiries(service, gateway.health, gateway.options, gateway.readers)
        stream, recording = gateway.options.max_frame_bytes, largest(gateway.options)
        self._sessions = {
            f"/{service.name}/{method}": recording if method in service.recordings else stream for method in service.sessions
        }
        self._questions = {f"/{service.name}/{method}": answer for method, answer in service.questions.items()}

    def service(self, handler_call_details: Any) -> Any:
        """GRPC's question who serves a call. All are streams here: so who is not let in is refused before anything is read."""
        path: str = handler_call_details.method
        if path in self._sessions:
            return self._streamed(lambda context: self._converse(context, path))
        if path in self._questions:
            return self._streamed(lambda context: self._answer(context, path))
        inquiry = self.inquiries.handlers.get(path)
        return None if inquiry is None else self._streamed(inquiry)

    async def _converse(self, context: Any, path: str) -> None:
        """One session, until its call is over."""
        call = Call(context, self._gateway.options, largest=self._sessions[path])
        head = head_of(context, path, trace_of(metadata_of(context)).trace_id)
        serving = asyncio.create_task(self._gateway.serve_call(call, self._dialect, head, address_of(context.peer())))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            call.lost()
            try:
                await asyncio.wait([serving])
            finally:
                serving.cancel()
            raise
        else:
            end(context, *call.status)

    async def _answer(self, context: Any, path: str) -> None:
        head = head_of(context, path, "")
        address = address_of(context.peer())
        _, offer = self._gateway.offer_to(self._dialect, head, address)
        asked = await next_message(context, self._gateway.options.start_timeout)
        if asked is None:
            raise InvalidMessage("expected one message, got none")
        with self._gateway.readers.of(address):
            answer = self._questions[path](offer, asked)
        await context.write(answer)

    def _check_sender(self, context: Any) -> None:
        if self._gateway.readers.refuses(address_of(context.peer())):
            raise Forbidden("what your address sent ended this server twice; come again in ten minutes")

    def _streamed(self, handle: Handle) -> Any:
        async def call(_: Any, context: Any) -> None:
            try:
                self._check_sender(context)
                await handle(context)
            except StarlingError as error:
                refuse(context, error)
            except Exception:
                log.exception("call crashed")
                refuse(context, ServerError("the gateway failed; call again"))

        return grpc.stream_stream_rpc_method_handler(call)


def authority(place: socket.socket) -> str:
    """The address to which ``place`` is bound, as gRPC reads it."""
    host, port = place.getsockname()[:2]
    return f"[{host}]:{port}" if place.family is socket.AF_INET6 else f"{host}:{port}"


def credentials(tls: Certificate) -> Any:
    """TLS that takes renewed files for the connections to come. ``tls`` is asked from gRPC's threads: let nobody else have it."""

    def renewed() -> Any:
        before = tls.pair
        tls.refresh()
        return None if tls.pair == before else grpc.ssl_server_certificate_configuration([tls.pair])

    return grpc.dynamic_ssl_server_credentials(grpc.ssl_server_certificate_configuration([tls.pair]), renewed)


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
