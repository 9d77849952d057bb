"""Clients over plain TCP: messages that begin with a line, and the connections that carry them.

A page of some site may make a browser send its requests here. They get no further than the first line, which is no message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, TypeAlias

from starling.core.errors import FrameTooLarge, SlowConsumer
from starling.gateway.options import GatewayOptions
from starling.gateway.socket import AT_A_STROKE, Gone
from starling.gateway.tls import Certificate
from starling.gateway.websocket_protocol import LINGER
from starling.protocols.verbs import Frame
from starling.telemetry.metrics import Metrics

READ_AHEAD: Final = 1 << 16
"""Bytes that are read before anybody asks for them, give or take a factor of two; a line may have no more."""


class PlainSocket:
    """``Wire`` on a TCP connection. ``body``: how many bytes follow a line, which has its end."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        body: Callable[[bytes], int],
        options: GatewayOptions,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._body = body
        self._send_timeout = options.send_timeout
        self._largest = options.max_frame_bytes
        self._line = b""  # of a message whose body has not come
        self._taken = 0  # messages
        self._next: asyncio.Task[bytes] | None = None  # asked for ahead of time, to see whether the client is still there

    async def receive(self) -> Frame:
        self._taken += 1
        if self._taken % AT_A_STROKE == 0:
            await asyncio.sleep(0)
        if self._next is None:
            return await self._read()
        await asyncio.wait([self._next])  # if this is cancelled, the message is not lost
        asked, self._next = self._next, None
        return asked.result()

    async def _read(self) -> bytes:
        """The next message. It may be cancelled, and asked for again."""
        try:
            self._line = self._line or await self._reader.readuntil(b"\n")
            size = self._body(self._line)
            if len(self._line) + size > self._largest:
                raise FrameTooLarge(f"a message may have {self._largest} bytes; send audio in smaller pieces")
            message = self._line + await self._reader.readexactly(size)
        except asyncio.LimitOverrunError:
            raise FrameTooLarge(f"the line of a message may have {READ_AHEAD} bytes; send less with it") from None
        except asyncio.IncompleteReadError as error:
            raise Gone(deliberate=not error.partial and not self._line) from None
        except OSError:
            raise Gone from None
        self._line = b""
        return message

    async def pause(self) -> None:
        await asyncio.sleep(0)
        if self._reader.at_eof() or self._writer.is_closing():
            raise Gone

    async def approach(self) -> None:
        if self._next is None:
            self._next = asyncio.ensure_future(self._read())
        await asyncio.wait([self._next])
        if isinstance(error := self._next.exception(), Gone):
            raise error

    async def send(self, frame: Frame) -> None:
        if self._writer.is_closing():
            raise Gone
        self._writer.write(frame.encode() if isinstance(frame, str) else frame)
        try:
            async with asyncio.timeout(self._send_timeout):
                await self._writer.drain()
        except TimeoutError:
            raise SlowConsumer(f"nothing was read for {self._send_timeout:g} seconds; read results as they come") from None
        except OSError:
            raise Gone from None

    async def close(self, code: int, reason: str = "") -> None:
        """Say goodbye, for which there are no words."""
        del code, reason
        if self._next is not None:  # nobody asks for it any more
            asked, self._next = self._next, None
            asked.cancel()
            await asyncio.wait([asked])
            _ = asked.cancelled() or asked.exception()
        if not self._writer.is_closing() and self._writer.can_write_eof():
            with suppress(OSError):
                self._writer.write_eof()

    async def farewell(self, within: float) -> bool:
        raise NotImplementedError  # nobody comes back to a session over plain TCP

    async def leave(self) -> None:
        """Close, once the last words were read, or after a while: with unread audio in it the connection would be reset."""
        try:
            async with asyncio.timeout(LINGER):
                while await self._reader.read(READ_AHEAD):
                    pass
                self._writer.close()
                await self._writer.wait_closed()
        except (TimeoutError, OSError):
            pass
        finally:
            self._writer.transport.abort()


Serve: TypeAlias = Callable[[PlainSocket, str], Coroutine[Any, Any, None]]
"""Serves one client, at an address."""


class PlainProtocol(asyncio.StreamReaderProtocol):
    """One connection. ``connections`` and ``tasks`` are those of the whole server."""

    def __init__(
        self,
        serve: Serve,
        body: Callable[[bytes], int],
        options: GatewayOptions,
        metrics: Metrics,
        *,
        tls: Certificate | None,
        connections: set[Any],
        tasks: set[asyncio.Task[None]],
    ) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(asyncio.StreamReader(limit=READ_AHEAD, loop=loop), self._begin, loop=loop)
        self._serve = serve
        self._body = body
        self._options = options
        self._metrics = metrics
        self._tls = tls
        self._connections = connections
        self._tasks = tasks
        self._transport_made: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport_made = transport
        self._connections.add(self)
        if self._tls is not None:
            self._tls.refresh()
        if len(self._connections) > self._options.max_connections:
            self._metrics.connections_cut.inc()
            transport.close()
            return
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The server stops: as uvicorn asks its own connections to end."""
        if self._transport_made is not None:
            self._transport_made.close()

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._converse(reader, writer), name="plain connection")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        socket = PlainSocket(reader, writer, self._body, self._options)
        try:
            await self._serve(socket, peer[0] if peer else "")
        except BaseException:
            writer.transport.abort()
            raise
        await socket.leave()
