"""One session of the native protocol over a WebSocket: audio out, typed messages in.

Every queue is bounded: ``send`` waits while the server does not take more (that is how a server slows a fast client down), and
messages that are not read make the connection wait. So read while you send, in two tasks or with ``conversation.converse``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final, Unpack

import numpy as np
from msgspec import UNSET
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from starling.client.errors import ProtocolMismatch, SessionAborted, SessionLost, overloaded
from starling.client.options import Options, on_the_wire
from starling.core.audio import AudioFormat, Samples
from starling.core.errors import InvalidMessage, Overloaded, StarlingError, UnsupportedAudio
from starling.protocols.native.messages import (
    Audio,
    Configure,
    Done,
    End,
    Error,
    Finalize,
    KeepAlive,
    Ready,
    ServerMessage,
    SetLangs,
    Start,
    decode_server,
    encode,
)

FRAME_BYTES: Final = 64 * 1024
"""The largest binary frame sent: 2 s of 16 kHz audio. Longer audio goes as several. Divisible by every sample size."""

NO_STATUS: Final = 1006
NATIVE_PCM: Final = AudioFormat()


class Session:
    """An open session. Get one from ``connect``; iterate over it until ``Done``, which is the last message."""

    def __init__(self, connection: ClientConnection, audio: AudioFormat) -> None:
        self._connection = connection
        self._audio = audio
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
            await self._transmit(data[start : start + FRAME_BYTES])

    async def finalize(self) -> None:
        """End the open segment now, as if silence had ended it."""
        await self._transmit(encode(Finalize()))

    async def configure(self, **options: Unpack[Options]) -> None:
        """Change ``options`` from the next segment on. Raises InvalidOption for a value out of range."""
        if wire := on_the_wire(options):
            await self._transmit(encode(Configure(**wire)))
        if "target_language" in options:
            await self._transmit(encode(SetLangs(target_language=options["target_language"])))

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
        if isinstance(message, Error):
            self._error = message
        return message

    async def open(self, client_ref: str | None, options: Options) -> None:
        """Send ``start`` and wait for ``ready``; ``connect`` calls it. Raises what iterating does."""
        audio = Audio(encoding=self._audio.encoding, sample_rate=self._audio.sample_rate, channels=self._audio.channels)
        reference = UNSET if client_ref is None else client_ref
        await self._transmit(encode(Start(audio=audio, client_ref=reference, **on_the_wire(options))))
        while self._ready is None:
            match await anext(self):
                case Ready() as ready:
                    self._ready = ready
                case Error():
                    continue  # the close that follows says the rest
                case other:
                    raise ProtocolMismatch(f"expected ready as the server's first message, got {type(other).__name__.lower()}")
        if "target_language" in options:
            await self._transmit(encode(SetLangs(target_language=options["target_language"])))

    def _encoded(self, audio: Samples) -> bytes:
        if self._audio != NATIVE_PCM:
            raise UnsupportedAudio(f"expected bytes of {self._audio.encoding}, the session's encoding, got an array")
        if audio.dtype != np.int16 or audio.ndim != 1:
            raise UnsupportedAudio(f"expected int16 samples of shape [n], got {audio.dtype} of shape {list(audio.shape)}")
        return audio.astype("<i2", copy=False).tobytes()

    async def _transmit(self, frame: str | memoryview) -> None:
        try:
            await self._connection.send(frame)
        except ConnectionClosed as closed:
            raise self._reason(closed) from None

    async def _receive(self) -> ServerMessage:
        try:
            frame = await self._connection.recv()
        except ConnectionClosed as closed:
            raise self._reason(closed) from None
        if isinstance(frame, bytes):
            raise ProtocolMismatch(f"expected text frames from the server, got a binary one of {len(frame)} bytes")
        try:
            return decode_server(frame)
        except InvalidMessage as error:
            raise ProtocolMismatch(f"expected a message of the native protocol from the server: {error.message}") from None

    def _reason(self, closed: ConnectionClosed) -> StarlingError:
        """Why the connection is over, in the server's own words where it said some."""
        if self._error is not None:
            return _failure(self._error)
        code = closed.rcvd.code if closed.rcvd else NO_STATUS
        said = f": {closed.rcvd.reason}" if closed.rcvd and closed.rcvd.reason else ""
        return SessionLost(
            f"the server ended the connection before the session was done (close code {code}{said})", closed_with=code
        )


def _failure(error: Error) -> StarlingError:
    if error.code == Overloaded.code:
        return overloaded(error.message, error.retry_after if isinstance(error.retry_after, float) else None)
    return SessionAborted(error.message, reason=error.code)
