"""What a session speaks over: one connection after the other, with nothing lost and nothing twice when one breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from functools import partial
from typing import Final

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from starling.client.errors import SessionLost
from starling.client.frames import NO_STATUS, last_words, read
from starling.client.inbox import Inbox
from starling.client.outbox import Outbox
from starling.client.reconnection import Dial, reconnect
from starling.client.watch import Watch
from starling.core.audio import AudioFormat
from starling.core.errors import StarlingError
from starling.protocols.native.messages import Ack, Done, End, Error, Resume, Resumed, ServerMessage, encode

FRAME_BYTES: Final = 64 * 1024
"""The largest binary frame sent: 2 s of 16 kHz audio. Longer audio goes as several. Divisible by every sample size."""


class Link(StrEnum):
    """What becomes of a session's connection."""

    LOST = "lost"
    RESTORED = "restored"


class Line:
    """The way to the server. ``ended``: no more audio is to come; ``done``: the last message of the session came.

    ``token``: with which the session goes on over another connection, if the server gave one.

    ``dial``: how to reach the server again when the connection is lost; None gives up then. ``notice`` is told of that, and
    when the session goes on. A lost connection is noticed by whoever uses it, and every method goes on over the next one or
    raises why the session is over.
    """

    def __init__(
        self, connection: ClientConnection, audio: AudioFormat, dial: Dial | None, notice: Callable[[Link], None]
    ) -> None:
        self.ended = False
        self.done = False
        self._end_said = False
        self._connection = connection
        self._audio = audio
        self._dial = dial
        self._notice = notice
        self.token: str | None = None
        self._grace = 0.0
        self._outbox = Outbox()
        self._inbox = Inbox()
        self._sending = asyncio.Lock()
        self._mending = asyncio.Lock()
        self._confirmed = asyncio.Event()
        self._replay: asyncio.Task[None] | None = None
        self._watch: Watch | None = None  # over the connection of a session that may go on over another
        self._over: StarlingError | None = None
        self._error: Error | None = None

    @property
    def redials(self) -> bool:
        """Whether the session may go on over another connection, if the server gives it a token."""
        return self._dial is not None

    def outlast(self, token: str, grace: float) -> None:
        """From now on the session goes on with ``token`` over another connection, within ``grace`` seconds."""
        self.token, self._grace = token, grace
        self._watch = Watch(self._connection, self._audio)

    # --- sending ---

    async def audio(self, data: memoryview) -> None:
        """Send audio, as many frames as it takes. Waits while the server does not take more; cancelling it is safe."""
        for start in range(0, len(data), FRAME_BYTES):
            piece = data[start : start + FRAME_BYTES]
            await self._room()
            await self._transmit(piece, partial(self._keep, piece))

    async def control(self, frame: str) -> None:
        """Send what changes the session at this place of the audio."""
        await self._transmit(frame, partial(self._keep_control, frame))

    async def say(self, frame: str) -> None:
        """Send what need not be said again over another connection."""
        await self._transmit(frame)

    async def end(self) -> None:
        """Send that no more audio comes. Calling it again does nothing, unless it was cancelled before it could."""
        self.ended = True
        await self._transmit(encode(End()), self._end_once)

    def _end_once(self) -> bool:
        first, self._end_said = not self._end_said, True
        return first

    def _keep(self, piece: memoryview) -> bool:
        if self.token is not None:
            self._outbox.audio(bytes(piece))
        if self._watch is not None:
            self._watch.vigil.sent(len(piece))
        return True

    def _keep_control(self, frame: str) -> bool:
        self._outbox.control(frame)
        return True

    async def _transmit(self, frame: str | memoryview, note: Callable[[], bool] = lambda: True) -> None:
        """Send ``frame``, unless ``note`` says that it was; it keeps it for a connection that comes after this one.

        All that a replay would say again changes within the lock: what is said before it is over is said by it, and by it alone.
        """
        async with self._sending:
            connection = self._connection
            if not note():
                return
            try:
                await connection.send(frame)
            except ConnectionClosed as error:
                closed = error
            else:
                return
        await self._mend(connection, closed)

    async def _room(self) -> None:
        while self.token is not None and self._outbox.full:
            if self._over is not None:
                raise self._over
            self._confirmed.clear()
            await self._confirmed.wait()

    # --- receiving ---

    async def receive(self) -> ServerMessage:
        """The next message that says something new. Cancelling it loses nothing. Raises why the session is over."""
        while True:
            connection = self._connection
            try:
                message = read(await connection.recv())
            except ConnectionClosed as closed:
                await self._mend(connection, closed)
                continue
            if self._watch is not None:
                self._watch.vigil.heard()
            if isinstance(message, Ack):
                self._outbox.confirm(message.received)
                self._confirmed.set()
            elif not isinstance(message, Resumed) and self._inbox.is_new(message):
                self._note(message)
                return message

    def _note(self, message: ServerMessage) -> None:
        self.done = isinstance(message, Done)
        if isinstance(message, Error) and not isinstance(message.segment_id, int):
            self._error = message

    # --- going on over another connection ---

    async def _mend(self, broken: ClientConnection, closed: ConnectionClosed) -> None:
        """Go on over a new connection. Raises why the session is over, if it is."""
        async with self._mending:
            if self._connection is not broken:
                return  # done meanwhile
            if self._over is not None:
                raise self._over
            try:
                if self.token is None or self.done or (self._error is not None and closed.rcvd is not None):
                    raise last_words(self._error, closed)
                await self._unwatch()
                self._notice(Link.LOST)
                await self._reconnect(self.token, last_words(self._error, closed))
                self._notice(Link.RESTORED)
            except StarlingError as error:
                self._over = error
                self._confirmed.set()
                raise

    async def _reconnect(self, token: str, lost: StarlingError) -> None:
        assert self._dial is not None

        def asked() -> Resume:
            return Resume(token=token, sent=self._outbox.sent, last_result=self._inbox.last_final)

        await reconnect(self._dial, asked, self._go_on, grace=self._grace, lost=lost)

    async def _go_on(self, connection: ClientConnection, resumed: Resumed) -> None:
        await self._sending.acquire()  # until all is sent again; whoever reads may go on reading
        again = self._outbox.after(resumed.received)
        if again is None:
            self._sending.release()
            raise SessionLost(f"the server asked for audio from byte {resumed.received}, which is gone", closed_with=NO_STATUS)
        self._connection, self._error = connection, None
        self._watch = Watch(connection, self._audio)
        self._watch.vigil.sent(self._outbox.sent - resumed.received)
        self._replay = asyncio.create_task(self._send_again(connection, again))

    async def _send_again(self, connection: ClientConnection, frames: Sequence[bytes | str]) -> None:
        try:
            with suppress(ConnectionClosed):  # whoever uses the connection next notices
                for frame in frames:
                    for start in range(0, len(frame), FRAME_BYTES) if isinstance(frame, bytes) else (0,):
                        await connection.send(frame[start : start + FRAME_BYTES] if isinstance(frame, bytes) else frame)
                if self._end_said:
                    await connection.send(encode(End()))
        finally:
            self._sending.release()

    # --- the end ---

    def cut(self) -> None:
        """Break the connection off without a word."""
        self._connection.transport.abort()

    async def close(self) -> None:
        """Close the connection."""
        if self._replay is not None:
            self._replay.cancel()
            await asyncio.wait([self._replay])
        await self._unwatch()
        await self._connection.close()

    async def _unwatch(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            await watch.close()
