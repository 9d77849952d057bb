"""uvicorn's WebSocket connection, with what a public server of long sessions needs besides.

- A frame that breaks the protocol (too large, not UTF-8) is raised by ``receive`` as an error, and the application may still send
  before the close frame goes out. uvicorn closes at once and, for UTF-8, logs a traceback.
- A client that does not read cannot keep the connection open, nor make pongs pile up.
- A handshake that websockets cannot parse is answered. uvicorn leaves such a connection open for ever.
- A flood of small frames is worked through in slices, and further only once the application has taken the messages before; one
  of pings no faster than ``PING_REST`` lets it. uvicorn works through all that came at once, while every other connection waits.
- What several clients send at about the same time is worked through in a row (``gathering.py``).
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame, Opcode

from starling.core.errors import ClientError, FrameTooLarge, InvalidMessage
from starling.gateway.gathering import Gathering, Turn
from starling.gateway.readers import NOBODY, Readers

LINGER: Final = 5.0
"""Seconds that a connection may live after its session, for its last frames to reach a client that still sends."""

SLICE: Final = 2_048
"""Bytes of frames worked through in one turn of the loop: even of the smallest frames a few milliseconds' work."""

GATHERED: Final = 16_384
"""Bytes that may wait for others to come. A live client sends less in that time."""

MANY_PINGS: Final = 16
PING_REST: Final = 0.1
"""Seconds after a slice with more pings than anybody needs until the next one."""

BAD_REQUEST: Final = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class PoliteWebSocketProtocol(WebSocketsSansIOProtocol):
    """One connection. ``gathering`` and ``readers`` are set by the subclass that ``polite`` makes, since uvicorn creates
    connections itself.
    """

    gathering: Gathering
    readers: Readers

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._application, self.app = self.app, self._converse
        self._fault: ClientError | None = None  # the connection can only be closed now
        self._close_frame = b""
        self._abort_timer: asyncio.TimerHandle | None = None
        self._unread = bytearray()  # came, and was not worked through yet; while there is some, nothing more is read
        self._turn: asyncio.Handle | Turn | None = None
        self._pings = 0  # in the last slice
        self._reading = NOBODY

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._reading = self.readers.of(self.client[0] if self.client else "")

    def connection_lost(self, exc: Exception | None) -> None:
        if self._abort_timer is not None:
            self._abort_timer.cancel()
        if isinstance(self._turn, Turn):
            self._turn.take()
        if self._turn is not None:
            self._turn.cancel()
        if self.handshake_complete:  # uvicorn's own word for it is that of a close frame without a code
            self.queue.put_nowait({"type": "websocket.disconnect", "code": CloseCode.ABNORMAL_CLOSURE})
        super().connection_lost(exc)

    def handle_close(self, event: Frame) -> None:
        if self.close_sent and self.conn.close_rcvd is not None:  # our last words were read
            self.queue.put_nowait({"type": "websocket.disconnect", "code": CloseCode.NORMAL_CLOSURE})
        super().handle_close(event)

    def data_received(self, data: bytes) -> None:
        if self._fault is not None:
            return
        self._unread += data
        if not self.handshake_initiated:
            self._work(len(data))
            if not self.handshake_initiated:  # the whole head comes at once, so this one is not understood
                self.transport.write(b"".join(self.conn.data_to_send()) or BAD_REQUEST)
                self.transport.close()
        elif len(self._unread) > GATHERED and isinstance(self._turn, Turn):
            self._turn.take()
        elif self._turn is None:
            self._turn = None if len(self._unread) > GATHERED else self.gathering.turn(self._take_turn)
            if self._turn is None:
                self._take_turn()

    def _take_turn(self) -> None:
        self._turn = None
        while not self._work(SLICE) and self._unread:  # the middle of a large frame is no work
            pass
        self._go_on()

    def _work(self, size: int) -> int:
        """Parse the next ``size`` bytes, and do what the frames in them ask for; how many that were."""
        self._pings = 0
        with self._reading:
            self.conn.receive_data(self._unread[:size])
            del self._unread[:size]
            frames = len(self.conn.events)
            self.handle_events()  # frames before a broken one count, which uvicorn forgets
        if self.conn.parser_exc is not None:
            self.handle_parser_exception()
        return frames

    def _go_on(self) -> None:
        """Work on, or read on, unless the application has messages to take before."""
        if self._turn is not None or self.transport.is_closing() or not (self.queue.empty() or self.close_sent):
            return
        if self._unread:
            if not self.read_paused:
                self.read_paused = True
                self.transport.pause_reading()
            self._turn = self.loop.call_later(PING_REST if self._pings > MANY_PINGS else 0, self._take_turn)
        elif self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()

    def handle_cont(self, event: Frame) -> None:
        if event.data or event.fin:  # nothing, sent without end, must not fill a list
            super().handle_cont(event)

    def handle_ping(self) -> None:
        self._pings += 1
        if self.writable.is_set():
            super().handle_ping()
        else:  # one pong may answer several pings (RFC 6455 section 5.5.3)
            self.conn.data_to_send()

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.fail(CloseCode.INVALID_DATA, "not UTF-8")
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    def handle_parser_exception(self) -> None:
        """The peer broke the protocol: let ``receive`` raise it, and keep the close frame until the application has spoken."""
        if self._fault is not None:
            return
        assert self.conn.close_sent is not None
        code, reason = self.conn.close_sent.code, self.conn.close_sent.reason
        if code == CloseCode.MESSAGE_TOO_BIG:
            self._fault = FrameTooLarge(
                f"a frame may have {self.config.ws_max_size} bytes; send audio in smaller pieces ({reason})"
            )
        else:
            self._fault = InvalidMessage(f"the frame is not valid WebSocket: {reason}")
        self._close_frame = b"".join(self.conn.data_to_send())
        self._unread.clear()
        self.queue.put_nowait(cast("ASGIReceiveEvent", {"type": "starling.fault"}))
        if self.read_paused:  # read on and discard, or closing would reset the connection under our last words
            self.read_paused = False
            self.transport.resume_reading()

    async def receive(self) -> ASGIReceiveEvent:
        message = await self.queue.get()
        self._go_on()
        if cast("str", message["type"]) == "starling.fault":
            assert self._fault is not None
            raise self._fault
        return message

    async def send(self, message: ASGISendEvent) -> None:
        if message["type"] == "websocket.close":
            self.writable.set()  # small and the last: it does not wait for a client that reads nothing
        if self._fault is None:
            await super().send(message)
            if self.initial_response is not None and self.close_sent:
                self.handshake_complete = True  # by a refusal; uvicorn would log it as an error
            return
        await self.writable.wait()
        if self.disconnected or self.close_sent:
            raise ClientDisconnected
        if message["type"] == "websocket.send":
            self.transport.write(_unmasked(message.get("text"), message.get("bytes")))
        elif message["type"] == "websocket.close":
            self.transport.write(self._close_frame)
            self.close_sent = True
            if self.transport.can_write_eof():
                self.transport.write_eof()
            self.close_timer = self.loop.call_later(LINGER, self.transport.close)

    async def _converse(self, *connection: Any) -> None:
        try:
            await self._application(*connection)
        except asyncio.CancelledError:  # by a second Ctrl-C; uvicorn would log an error for each session
            raise ClientDisconnected from None

    async def run_asgi(self) -> None:
        try:
            await super().run_asgi()
        finally:
            if not self.disconnected:
                self._abort_timer = self.loop.call_later(LINGER, self.transport.abort)

    def shutdown(self) -> None:
        if not self.transport.is_closing() and self._fault is None:
            super().shutdown()


def polite(gathering: Gathering, readers: Readers) -> type[PoliteWebSocketProtocol]:
    """The connections of one server, which are worked through in the rows of ``gathering``. ``readers``: whose bytes are read."""
    return type("GatheredWebSocketProtocol", (PoliteWebSocketProtocol,), {"gathering": gathering, "readers": readers})


def _unmasked(text: str | None, data: bytes | None) -> bytes:
    if text is not None:
        return Frame(Opcode.TEXT, text.encode()).serialize(mask=False)
    return Frame(Opcode.BINARY, data or b"").serialize(mask=False)
