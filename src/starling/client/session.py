"""One session of the native protocol over a WebSocket: audio out, typed messages in.

Every queue is bounded: ``send`` waits while the server does not take more (that is how a server slows a fast client down), and
messages that are not read make the connection wait. So read while you send, in two tasks or with ``conversation.converse``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Final, Unpack

import numpy as np
from msgspec import UNSET
from msgspec.structs import replace
from websockets.asyncio.client import ClientConnection

from starling.client.errors import ProtocolMismatch
from starling.client.line import Line, Link
from starling.client.options import Options, on_the_wire
from starling.client.reconnection import Dial
from starling.core.audio import AudioFormat, Samples
from starling.core.errors import InvalidMessage, UnsupportedAudio
from starling.protocols.native.messages import (
    Audio,
    Configure,
    Error,
    Finalize,
    KeepAlive,
    Ready,
    ServerMessage,
    SetLangs,
    Start,
    encode,
)

NATIVE_PCM: Final = AudioFormat()


class Session:
    """An open session. Get one from ``connect``; iterate over it until ``Done``, which is the last message.

    ``dial``: how to reach the server again when the connection is lost; None gives up then. ``notice`` is told of that, and
    when the session goes on.
    """

    def __init__(
        self,
        connection: ClientConnection,
        audio: AudioFormat,
        dial: Dial | None = None,
        notice: Callable[[Link], None] = lambda _: None,
    ) -> None:
        self._line = Line(connection, audio, dial, notice)
        self._audio = audio
        self._ready: Ready | None = None

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
        if self._line.ended:
            raise InvalidMessage("expected no audio after end(), got more: open another session for it")
        await self._line.audio(memoryview(audio if isinstance(audio, bytes) else self._encoded(audio)))

    async def finalize(self) -> None:
        """End the open segment now, as if silence had ended it."""
        await self._line.control(encode(Finalize()))

    async def configure(self, **options: Unpack[Options]) -> None:
        """Change ``options`` from the next segment on. Raises InvalidOption for a value out of range."""
        if wire := on_the_wire(options):
            await self._line.control(encode(Configure(**wire)))
        if "target_language" in options:
            await self._line.control(encode(SetLangs(target_language=options["target_language"])))

    async def keepalive(self) -> None:
        """Say that this client is still here while it has no audio to send."""
        await self._line.say(encode(KeepAlive()))

    async def end(self) -> None:
        """No more audio comes: what is left and ``Done`` follow. Calling it again does nothing."""
        await self._line.end()

    def __aiter__(self) -> AsyncIterator[ServerMessage]:
        return self

    async def __anext__(self) -> ServerMessage:
        """The next message; the iteration ends after ``Done``. Cancelling it loses nothing.

        Raises SessionLost when the connection breaks before, SessionAborted or Overloaded when the server said why it ended the
        session, ProtocolMismatch for a frame that is no message.
        """
        if self._line.done:
            raise StopAsyncIteration
        return await self._line.receive()

    async def open(self, client_ref: str | None, options: Options) -> None:
        """Send ``start`` and wait for ``ready``; ``connect`` calls it. Raises what iterating does."""
        audio = Audio(encoding=self._audio.encoding, sample_rate=self._audio.sample_rate, channels=self._audio.channels)
        wanted = True if self._line.redials else UNSET
        reference = UNSET if client_ref is None else client_ref
        await self._line.say(encode(Start(audio=audio, client_ref=reference, resume=wanted, **on_the_wire(options))))
        while self._ready is None:
            match await anext(self):
                case Ready() as ready:
                    self._ready = replace(ready, resume_token=UNSET)  # a secret, which whoever prints messages need not know
                    if isinstance(ready.resume_token, str):
                        grace = ready.resume_grace if isinstance(ready.resume_grace, float) else 0.0
                        self._line.outlast(ready.resume_token, grace)
                case Error():
                    continue  # the close that follows says the rest
                case other:
                    raise ProtocolMismatch(f"expected ready as the server's first message, got {type(other).__name__.lower()}")
        if "target_language" in options:
            await self._line.control(encode(SetLangs(target_language=options["target_language"])))

    def _encoded(self, audio: Samples) -> bytes:
        if self._audio != NATIVE_PCM:
            raise UnsupportedAudio(f"expected bytes of {self._audio.encoding}, the session's encoding, got an array")
        if audio.dtype != np.int16 or audio.ndim != 1:
            raise UnsupportedAudio(f"expected int16 samples of shape [n], got {audio.dtype} of shape {list(audio.shape)}")
        return audio.astype("<i2", copy=False).tobytes()

    @property
    def resume_token(self) -> str | None:
        """The secret with which whoever knows it takes the session over, if the server gave one (see docs/protocol.md)."""
        return self._line.token

    def cut(self) -> None:
        """Break the connection off, as a network does: what uses it next goes on over another one, or raises."""
        self._line.cut()

    async def close(self) -> None:
        """Close the connection; ``connect`` calls it."""
        await self._line.close()
