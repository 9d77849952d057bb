"""One session of the native protocol over a WebSocket: audio out, typed messages in.

Every queue is bounded: ``send`` waits while the server does not take more (that is how a server slows a fast client down), and
messages that are not read make the connection wait. So read while you send, in two tasks or with ``conversation.converse``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from functools import partial
from typing import Final, Unpack

import numpy as np
from msgspec import UNSET
from msgspec.structs import replace
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from starling.client.errors import ProtocolMismatch, Refused, SessionAborted, SessionLost, Unreachable, overloaded
from starling.client.inbox import Inbox
from starling.client.options import Options, on_the_wire
from starling.client.outbox import Outbox
from starling.client.retrying import waits
from starling.client.watch import Watch
from starling.core.audio import AudioFormat, Samples
from starling.core.errors import InvalidMessage, Overloaded, StarlingError, UnsupportedAudio
from starling.protocols.native.messages import (
    Ack,
    Audio,
    Configure,
    Done,
    End,
    Error,
    Finalize,
    KeepAlive,
    Ready,
    Resume,
    Resumed,
    ServerMessage,
    SetLangs,
    Start,
    decode_server,
    encode,
)

FRAME_BYTES: Final = 64 * 1024
"""The largest binary frame sent: 2 s of 16 kHz audio. Longer audio goes as several. Divisible by every sample size."""

ATTEMPT: Final = 10.0
"""Seconds that one attempt to come back may take to be let in, and as many to be answered."""

NO_STATUS: Final = 1006
SERVER_AT_FAULT: Final = 500
NATIVE_PCM: Final = AudioFormat()


class Link(StrEnum):
    """What becomes of a session's connection."""

    LOST = "lost"
    RESTORED = "restored"


class Session:
    """An open session. Get one from ``connect``; iterate over it until ``Done``, which is the last message.

    ``dial``: how to reach the server again when the connection is lost; None gives up then. ``notice`` is told of that, and
    when the session goes on.
    """

    def __init__(
        self,
        connection: ClientConnection,
        audio: AudioFormat,
        dial: Callable[[], Awaitable[ClientConnection]] | None = None,
        notice: Callable[[Link], None] = lambda _: None,
    ) -> None:
        self._connection = connection
        self._audio = audio
        self._dial = dial
        self._notice = notice
        self._token: str | None = None
        self._outbox = Outbox()
        self._inbox = Inbox()
        self._sending = asyncio.Lock()
        self._mending = asyncio.Lock()
        self._confirmed = asyncio.Event()
        self._replay: asyncio.Task[None] | None = None
        self._watch: Watch | None = None  # over the connection of a session that may go on over another
        self._over: StarlingError | None = None
        self._ready: Ready | None = None
        self._error: Error | None = None
        self._ended = False
        self._done = False

    @property
    def ready(self) -> Ready:
        """What the server opened: its ids, its model, the options in effect."""
        assert self._ready is not None, "connect() yields a session only once it is ready"
        return self._ready

    async def send(self, audio: Samples | bytes) -> None:
        """Send audio, as much as you like at once. Waits while the server does not take more; cancelling it is safe.

        ``Samples`` (int16 ``[n]``) need a session of 16 kHz mono ``pcm_s16le``; bytes are sent as they are. Raises
        UnsupportedAudio for other arrays, InvalidMessage after ``end``, SessionLost when the connection is gone.
        """
        if self._ended:
            raise InvalidMessage("expected no audio after end(), got more: open another session for it")
        data = memoryview(audio if isinstance(audio, bytes) else self._encoded(audio))
        for start in range(0, len(data), FRAME_BYTES):
            piece = data[start : start + FRAME_BYTES]
            await self._room()
            await self._transmit(piece, partial(self._keep, piece))

    def _keep(self, piece: memoryview) -> None:
        if self._token is not None:
            self._outbox.audio(bytes(piece))
        if self._watch is not None:
            self._watch.vigil.sent(len(piece))

    async def finalize(self) -> None:
        """End the open segment now, as if silence had ended it."""
        await self._control(encode(Finalize()))

    async def configure(self, **options: Unpack[Options]) -> None:
        """Change ``options`` from the next segment on. Raises InvalidOption for a value out of range."""
        if wire := on_the_wire(options):
            await self._control(encode(Configure(**wire)))
        if "target_language" in options:
            await self._control(encode(SetLangs(target_language=options["target_language"])))

    async def keepalive(self) -> None:
        """Say that this client is still here while it has no audio to send."""
        await self._transmit(encode(KeepAlive()))

    async def end(self) -> None:
        """No more audio comes: what is left and ``Done`` follow. Calling it again does nothing."""
        if not self._ended:
            self._ended = True
            await self._transmit(encode(End()))

    def __aiter__(self) -> AsyncIterator[ServerMessage]:
        return self

    async def __anext__(self) -> ServerMessage:
        """The next message; the iteration ends after ``Done``. Cancelling it loses nothing.

        Raises SessionLost when the connection breaks before, SessionAborted or Overloaded when the server said why it ended the
        session, ProtocolMismatch for a frame that is no message.
        """
        if self._done:
            raise StopAsyncIteration
        message = await self._receive()
        self._done = isinstance(message, Done)
        if isinstance(message, Error) and not isinstance(message.segment_id, int):
            self._error = message
        return message

    async def open(self, client_ref: str | None, options: Options) -> None:
        """Send ``start`` and wait for ``ready``; ``connect`` calls it. Raises what iterating does."""
        audio = Audio(encoding=self._audio.encoding, sample_rate=self._audio.sample_rate, channels=self._audio.channels)
        wanted = UNSET if self._dial is None else True
        reference = UNSET if client_ref is None else client_ref
        await self._transmit(encode(Start(audio=audio, client_ref=reference, resume=wanted, **on_the_wire(options))))
        while self._ready is None:
            match await anext(self):
                case Ready() as ready:
                    self._ready = replace(ready, resume_token=UNSET)  # a secret, which whoever prints messages need not know
                    self._token = ready.resume_token if isinstance(ready.resume_token, str) else None
                    self._watch = None if self._token is None else Watch(self._connection, self._audio)
                case Error():
                    continue  # the close that follows says the rest
                case other:
                    raise ProtocolMismatch(f"expected ready as the server's first message, got {type(other).__name__.lower()}")
        if "target_language" in options:
            await self._control(encode(SetLangs(target_language=options["target_language"])))

    def _encoded(self, audio: Samples) -> bytes:
        if self._audio != NATIVE_PCM:
            raise UnsupportedAudio(f"expected bytes of {self._audio.encoding}, the session's encoding, got an array")
        if audio.dtype != np.int16 or audio.ndim != 1:
            raise UnsupportedAudio(f"expected int16 samples of shape [n], got {audio.dtype} of shape {list(audio.shape)}")
        return audio.astype("<i2", copy=False).tobytes()

    # --- sending ---

    async def _control(self, frame: str) -> None:
        await self._transmit(frame, lambda: self._outbox.control(frame))

    async def _transmit(self, frame: str | memoryview, note: Callable[[], None] = lambda: None) -> None:
        """Send ``frame``; ``note`` keeps it for a connection that comes after this one."""
        async with self._sending:
            connection = self._connection
            note()
            try:
                await connection.send(frame)
            except ConnectionClosed as error:
                closed = error
            else:
                return
        await self._mend(connection, closed)

    async def _room(self) -> None:
        while self._token is not None and self._outbox.full:
            if self._over is not None:
                raise self._over
            self._confirmed.clear()
            await self._confirmed.wait()

    # --- receiving ---

    async def _receive(self) -> ServerMessage:
        while True:
            connection = self._connection
            try:
                message = _read(await connection.recv())
            except ConnectionClosed as closed:
                await self._mend(connection, closed)
                continue
            if self._watch is not None:
                self._watch.vigil.heard()
            if isinstance(message, Ack):
                self._outbox.confirm(message.received)
                self._confirmed.set()
            elif not isinstance(message, Resumed) and self._inbox.is_new(message):
                return message

    # --- going on over another connection ---

    async def _mend(self, broken: ClientConnection, closed: ConnectionClosed) -> None:
        """Go on over a new connection. Raises why the session is over, if it is."""
        async with self._mending:
            if self._connection is not broken:
                return  # done meanwhile
            if self._over is not None:
                raise self._over
            try:
                if self._token is None or self._done or (self._error is not None and closed.rcvd is not None):
                    raise self._reason(closed)
                await self._unwatch()
                self._notice(Link.LOST)
                await self._reconnect(self._token, self._reason(closed))
                self._notice(Link.RESTORED)
            except StarlingError as error:
                self._over = error
                self._confirmed.set()
                raise

    async def _reconnect(self, token: str, lost: StarlingError) -> None:
        assert self._dial is not None
        grace = self.ready.resume_grace if isinstance(self.ready.resume_grace, float) else 0.0
        try:
            async with asyncio.timeout(grace):
                for wait in waits():
                    await asyncio.sleep(wait)
                    if await self._attempt(self._dial, token):
                        return
        except TimeoutError:
            raise SessionLost(
                f"{lost.message}; no connection could be made again within {grace:g} s", closed_with=NO_STATUS
            ) from None

    async def _attempt(self, dial: Callable[[], Awaitable[ClientConnection]], token: str) -> bool:
        """Whether the session goes on over a new connection. Raises SessionAborted when the server will not have it."""
        try:
            async with asyncio.timeout(ATTEMPT):
                connection = await dial()
        except (Unreachable, Overloaded, TimeoutError):
            return False
        except Refused as refused:
            if 0 < refused.status < SERVER_AT_FAULT:  # 0: it broke off before it had answered
                raise
            return False
        try:
            async with asyncio.timeout(ATTEMPT):
                resumed = await self._resume(connection, token)
            await self._go_on(connection, resumed)
        except ConnectionClosed:
            return False
        except TimeoutError:  # that of the whole comes as a cancellation
            connection.transport.abort()
            return False
        except BaseException:
            await connection.close()
            raise
        return True

    async def _resume(self, connection: ClientConnection, token: str) -> Resumed:
        await connection.send(encode(Resume(token=token, sent=self._outbox.sent, last_result=self._inbox.last_final)))
        match _read(await connection.recv()):
            case Resumed() as resumed:
                return resumed
            case Error() as error:
                raise _failure(error)
            case other:
                raise ProtocolMismatch(f"expected resumed as the server's first message, got {type(other).__name__.lower()}")

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
                if self._ended:
                    await connection.send(encode(End()))
        finally:
            self._sending.release()

    async def close(self) -> None:
        """Close the connection; ``connect`` calls it."""
        if self._replay is not None:
            self._replay.cancel()
            await asyncio.wait([self._replay])
        await self._unwatch()
        await self._connection.close()

    async def _unwatch(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            await watch.close()

    def _reason(self, closed: ConnectionClosed) -> StarlingError:
        """Why the connection is over, in the server's own words where it said some."""
        if self._error is not None:
            return _failure(self._error)
        code = closed.rcvd.code if closed.rcvd else NO_STATUS
        said = f": {closed.rcvd.reason}" if closed.rcvd and closed.rcvd.reason else ""
        return SessionLost(
            f"the server ended the connection before the session was done (close code {code}{said})", closed_with=code
        )


def _read(frame: str | bytes) -> ServerMessage:
    if isinstance(frame, bytes):
        raise ProtocolMismatch(f"expected text frames from the server, got a binary one of {len(frame)} bytes")
    try:
        return decode_server(frame)
    except InvalidMessage as error:
        raise ProtocolMismatch(f"expected a message of the native protocol from the server: {error.message}") from None


def _failure(error: Error) -> StarlingError:
    if error.code == Overloaded.code:
        return overloaded(error.message, error.retry_after if isinstance(error.retry_after, float) else None)
    return SessionAborted(error.message, reason=error.code)
