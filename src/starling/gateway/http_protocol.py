"""uvicorn's HTTP/1.1 connection, with a limit on how long and how large a request's head may be.

uvicorn alone keeps a connection for ever whose request never ends (slowloris), and collects headers without end.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from starling.gateway.options import GatewayOptions
from starling.gateway.readers import NOBODY, Readers
from starling.gateway.recordings.outflow import ABORT
from starling.gateway.tls import Certificate
from starling.telemetry.metrics import Metrics


class PatientHttpProtocol(HttpToolsProtocol):
    """One connection. ``limits`` is set by the subclass that ``limited`` makes, since uvicorn creates connections itself."""

    limits: GatewayOptions
    metrics: Metrics
    readers: Readers
    tls: Certificate | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_timer: asyncio.TimerHandle | None = None
        self._head_size = 0
        self._reading = NOBODY

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        if self.tls is not None:
            self.tls.refresh()
        address = self.client[0] if self.client else ""
        if self.readers.refuses(address):
            self.metrics.connections_banned.inc()
            transport.abort()
            return
        self._reading = self.readers.of(address)
        if len(self.connections) > self.limits.max_connections:  # uvicorn's set of all of them, WebSockets included
            self.metrics.connections_cut.inc()
            transport.abort()
            return
        self._head_timer = self.loop.call_later(self.limits.head_timeout, self._give_up, HTTPStatus.REQUEST_TIMEOUT)

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_over()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: {ABORT: self.transport.abort}}
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.limits.head_timeout, self._give_up, HTTPStatus.REQUEST_TIMEOUT)

    def on_headers_complete(self) -> None:
        self._head_is_over()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        with self._reading:
            super().data_received(data)
        if self._head_timer is not None:
            self._head_size += len(data)
            if self._head_size > self.limits.max_head_bytes:
                self._give_up(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.more_body and not self.pipeline:  # answered without being read, the body may take for ever to come
            self.transport.close()

    def handle_websocket_upgrade(self) -> None:
        if self.url.isascii():
            super().handle_websocket_upgrade()
        else:  # uvicorn's WebSocket side would raise on it
            self._answer(HTTPStatus.BAD_REQUEST)

    def _head_is_over(self) -> None:
        self._head_size = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self, status: HTTPStatus) -> None:
        begun = self._head_size > 0
        self._head_is_over()
        if begun:
            self._answer(status)
        else:  # a connection opened ahead of need, as browsers do, gets no answer to a request it never made
            self.transport.close()

    def _answer(self, status: HTTPStatus) -> None:
        if not self.transport.is_closing():
            self.transport.write(
                f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode()
            )
            self.transport.close()


def limited(
    options: GatewayOptions, metrics: Metrics, readers: Readers, tls: Certificate | None = None
) -> type[PatientHttpProtocol]:
    """The class of connections limited by ``options``. ``readers``: whose bytes are read. ``tls``: what they are secured with."""
    attributes = {"limits": options, "metrics": metrics, "readers": readers, "tls": tls}
    return type("LimitedHttpProtocol", (PatientHttpProtocol,), attributes)
