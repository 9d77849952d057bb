"""The gateway on a listening socket: uvicorn, started and stopped by us."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import uvicorn
from fastapi import FastAPI

from starling.gateway.access import is_loopback
from starling.gateway.app import create_app, create_dialect_app
from starling.gateway.gateway import Gateway
from starling.gateway.gathering import Gathering
from starling.gateway.http_protocol import limited
from starling.gateway.listening import BACKLOG, Listeners, listen_everywhere
from starling.gateway.plain import PlainProtocol, PlainSocket
from starling.gateway.tls import HANDSHAKE_TIMEOUT, Certificate, certificate
from starling.gateway.websocket_protocol import polite
from starling.protocols.dialects import Dialect

FORCE_AFTER: Final = 2
"""Seconds that connections may take to end after a drain, before they are cut."""


@dataclass(frozen=True, slots=True)
class _Plain:
    """A socket on which a dialect of plain TCP is spoken."""

    listener: socket.socket
    dialect: Dialect
    gateway: Gateway
    tls: Certificate | None


class _Uvicorn(uvicorn.Server):
    """Leaves signals to the program, and says when it listens. Listens by itself, to give a TLS handshake a deadline.

    ``sites``: a socket, and what is on it; the first is the main one. ``plain``: those without HTTP.
    """

    def __init__(
        self, sites: Sequence[tuple[socket.socket, uvicorn.Config]], tls: Certificate | None, plain: Sequence[_Plain]
    ) -> None:
        super().__init__(sites[0][1])
        self.listening = asyncio.Event()
        self._sites = sites
        self._tls = tls
        self._plain = plain

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets or [])  # none are given: its own way of listening knows no deadline
        self.servers = [await self._listen(listener, config) for listener, config in self._sites]
        self.servers += [await self._listen_plainly(site) for site in self._plain]
        self.listening.set()

    async def _listen(self, listener: socket.socket, config: uvicorn.Config) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        if not config.loaded:
            config.load()

        def connection() -> asyncio.Protocol:
            protocol: asyncio.Protocol = config.http_protocol_class(  # type: ignore[call-arg]  # as in uvicorn
                config=config, server_state=self.server_state, app_state=self.lifespan.state, _loop=loop
            )
            return protocol

        return await _accepting(connection, listener, self._tls)

    async def _listen_plainly(self, site: _Plain) -> asyncio.Server:
        gateway, state, body = site.gateway, self.server_state, site.dialect.body
        assert body is not None

        async def serve(wire: PlainSocket, address: str) -> None:
            await gateway.serve_plain(wire, site.dialect, address)

        connection = partial(
            PlainProtocol,
            serve,
            body,
            gateway.options,
            gateway.ports.metrics,
            tls=site.tls,
            connections=state.connections,
            tasks=state.tasks,
        )
        return await _accepting(connection, site.listener, site.tls)


async def _accepting(
    connection: Callable[[], asyncio.BaseProtocol], listener: socket.socket, tls: Certificate | None
) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    context, deadline = (None, None) if tls is None else (tls.context, HANDSHAKE_TIMEOUT)
    return await loop.create_server(connection, sock=listener, backlog=BACKLOG, ssl=context, ssl_handshake_timeout=deadline)


@asynccontextmanager
async def serving(gateway: Gateway, listeners: Listeners | None = None) -> AsyncIterator[tuple[str, int]]:
    """Serve ``gateway`` while the block runs; gives the host and port it listens on. Run it on uvloop.

    ``listeners``: where clients arrive, if somebody listens there already. At the end connections are closed; drain the gateway
    before, so that none is left. Raises StarlingError when the address cannot be listened on.
    """
    tls = certificate(gateway.options)
    listeners = listeners or listen_everywhere(gateway.options)
    server = _Uvicorn(list(_sites(gateway, listeners, tls)), tls, list(_plain_sites(gateway, listeners, tls)))
    gateway.ports.metrics.connections.set_function(lambda: len(server.server_state.connections))
    running = asyncio.create_task(server.serve(), name="uvicorn")
    running.add_done_callback(lambda _: server.listening.set())
    chores = [
        asyncio.create_task(gateway.watch_keys(), name="keys"),
        asyncio.create_task(gateway.tell_callbacks(), name="callbacks"),
        asyncio.create_task(gateway.keep_accounts(), name="accounts"),
        asyncio.create_task(gateway.keep_figures(), name="figures"),
    ]
    calls = AsyncExitStack()
    try:
        await server.listening.wait()
        if not running.done():
            await calls.enter_async_context(_calls(gateway, listeners))
            yield gateway.options.host, listeners.main.getsockname()[1]
    finally:
        await calls.aclose()
        for chore in chores:
            chore.cancel()
        server.should_exit = True
        await asyncio.wait([running, *chores])
        running.result()


def rehearse(gateway: Gateway) -> None:
    """Make what ``serving`` makes of ``gateway`` before it listens, so that all of it is imported and compiled."""
    _config(gateway, create_app(gateway), None).load()


@asynccontextmanager
async def _calls(gateway: Gateway, listeners: Listeners) -> AsyncIterator[None]:
    """Take the calls of the dialects of gRPC."""
    async with AsyncExitStack() as serving:
        for spoken in gateway.options.protocols:
            if spoken.dialect.service is not None and (place := listeners.dialects.get(spoken.dialect.name)) is not None:
                # gRPC starts threads, which nobody may have who is copied: it is loaded by who needs it, when it does. Of every
                # client that is no client of it, it would write a line of its own to the log.
                os.environ.setdefault("GRPC_VERBOSITY", "NONE")
                from starling.gateway.calls import serving_calls  # noqa: PLC0415

                tls = certificate(gateway.options)
                await serving.enter_async_context(serving_calls(gateway, spoken.dialect, place, tls, FORCE_AFTER))
        yield


def _sites(gateway: Gateway, listeners: Listeners, tls: Certificate | None) -> Iterator[tuple[socket.socket, uvicorn.Config]]:
    yield listeners.main, _config(gateway, create_app(gateway), tls)
    for spoken in gateway.options.protocols:
        listener, dialect = listeners.dialects.get(spoken.dialect.name), spoken.dialect
        if listener is not None and dialect.body is None and dialect.service is None:
            yield listener, _config(gateway, create_dialect_app(gateway, dialect), tls)


def _plain_sites(gateway: Gateway, listeners: Listeners, tls: Certificate | None) -> Iterator[_Plain]:
    """Their clients know no TLS, and need none within this machine."""
    needed = None if is_loopback(gateway.options.protocols_host) else tls
    for spoken in gateway.options.protocols:
        if (listener := listeners.dialects.get(spoken.dialect.name)) is not None and spoken.dialect.body is not None:
            yield _Plain(listener, spoken.dialect, gateway, needed)


def _config(gateway: Gateway, app: FastAPI, tls: Certificate | None) -> uvicorn.Config:
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # below that it tells of every connection and every odd client
    return uvicorn.Config(
        app,
        http=limited(gateway.options, gateway.ports.metrics, gateway.readers, tls),
        ws=polite(Gathering(lambda: gateway.active), gateway.readers),
        ws_max_size=gateway.options.max_frame_bytes,
        ws_ping_interval=None,  # a busy client that answers late is no dead client
        ws_per_message_deflate=False,  # audio does not get smaller, and each session would pay memory for trying
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=FORCE_AFTER,
    )
