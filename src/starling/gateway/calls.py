"""The port of a dialect of gRPC: its calls to sessions of the gateway, with the limits that hold everywhere."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError

from starling.core.errors import InvalidMessage, ServerError, StarlingError
from starling.core.tracing import trace_of
from starling.gateway.call import Call, address_of, head_of, metadata_of
from starling.gateway.gateway import Gateway
from starling.gateway.options import GatewayOptions
from starling.gateway.tls import HANDSHAKE_TIMEOUT, Certificate
from starling.protocols.calls import Service, code_of
from starling.protocols.dialects import Dialect
from starling.protocols.trailers import trailers
from starling.protocols.wire import health_pb2
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

STATUS: Final = {code.value[0]: code for code in grpc.StatusCode}

HEALTH: Final = "/grpc.health.v1.Health/Check"

Handle = Callable[[Any], Awaitable[None]]


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
        self._service = service
        stream, recording = gateway.options.max_frame_bytes, largest(gateway.options)
        self._sessions = {
            f"/{service.name}/{method}": recording if method in service.recordings else stream for method in service.sessions
        }
        self._questions = {f"/{service.name}/{method}": answer for method, answer in service.questions.items()}

    def service(self, handler_call_details: Any) -> Any:
        """GRPC's question who serves a call. All are streams here: so who is not let in is refused before anything is read."""
        path: str = handler_call_details.method
        if path in self._sessions:
            return _streamed(lambda context: self._converse(context, path))
        if path in self._questions:
            return _streamed(lambda context: self._answer(context, path))
        if path == HEALTH:
            return _streamed(self._tell_health)
        return None

    async def _converse(self, context: Any, path: str) -> None:
        """One session, until its call is over."""
        call = Call(context, self._gateway.options, largest=self._sessions[path])
        head = head_of(context, path, trace_of(metadata_of(context)).trace_id)
        serving = asyncio.create_task(self._gateway.serve_call(call, self._dialect, head, address_of(context.peer())))
        try:
            await asyncio.shield(serving)
        except StarlingError as error:
            await _refuse(context, error)
        except asyncio.CancelledError:
            call.lost()
            try:
                await asyncio.wait([serving])
            finally:
                serving.cancel()
            raise
        else:
            _end(context, *call.status)

    async def _answer(self, context: Any, path: str) -> None:
        head = head_of(context, path, "")
        try:
            _, offer = self._gateway.offer_to(self._dialect, head, address_of(context.peer()))
            await context.write(self._questions[path](offer, await _request(context)))
        except StarlingError as error:
            await _refuse(context, error)

    async def _tell_health(self, context: Any) -> None:
        try:
            asked = health_pb2.HealthCheckRequest.FromString(await _request(context)).service
        except (DecodeError, InvalidMessage):
            _end(context, grpc.StatusCode.INVALID_ARGUMENT.value[0], "expected a HealthCheckRequest")
            return
        if asked not in {"", self._service.name}:
            _end(context, grpc.StatusCode.NOT_FOUND.value[0], f"the service here is {self._service.name}")
            return
        ready = self._gateway.health.ready
        status = health_pb2.HealthCheckResponse.SERVING if ready else health_pb2.HealthCheckResponse.NOT_SERVING
        await context.write(health_pb2.HealthCheckResponse(status=status).SerializeToString())


def _streamed(handle: Handle) -> Any:
    async def call(_: Any, context: Any) -> None:
        try:
            await handle(context)
        except Exception:
            log.exception("call crashed")
            await _refuse(context, ServerError("the gateway failed; call again"))

    return grpc.stream_stream_rpc_method_handler(call)


async def _request(context: Any) -> bytes:
    """The one message of a client that asks one question. Raises InvalidMessage if there is none."""
    message = await context.read()
    if message is grpc.aio.EOF:
        raise InvalidMessage("expected one message, got none")
    assert isinstance(message, bytes)
    return message


async def _refuse(context: Any, error: StarlingError) -> None:
    context.set_trailing_metadata(trailers(error))
    _end(context, code_of(type(error)), error.message)


def _end(context: Any, code: int, message: str) -> None:
    context.set_code(STATUS[code])
    context.set_details(message)


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
