"""A client's frames, for as long as they come in time and the server goes on."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starling.core.errors import IdleTimeout, SessionTooLong, ShuttingDown, StarlingError, Unauthenticated
from starling.gateway.alarm import Alarm
from starling.gateway.options import GatewayOptions
from starling.gateway.socket import Wire
from starling.protocols.verbs import Frame
from starling.telemetry.metrics import Metrics


class Arrivals:
    """The frames of one connection, of a session that begins now.

    Time counts only while a frame is asked for: a client that we keep waiting is not late.
    """

    def __init__(self, socket: Wire, options: GatewayOptions, metrics: Metrics) -> None:
        self._socket = socket
        self._options = options
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._begun = self._loop.time()
        self._known = False
        self._alarm = Alarm(self._loop)
        self._stopped: ShuttingDown | Unauthenticated | None = None
        self._idle = f"expected audio or keepalive within {options.idle_timeout:g} seconds"

    def began(self, at: float) -> None:
        """The session is an older one, which began ``at`` on the loop's time."""
        self._begun = at

    def again(self) -> None:
        """Another session begins now. Its client knows its way: its first frame has as long as any other."""
        self._begun = self._loop.time()
        self._known = True

    @property
    def stopped(self) -> ShuttingDown | Unauthenticated | None:
        """Why no more frames are taken, if that is so."""
        return self._stopped

    def stop(self, error: ShuttingDown | Unauthenticated) -> None:
        """Take no more frames: ``error`` is raised where one is waited for, now and from now on."""
        self._stopped = error
        self._alarm.ring()

    def close(self) -> None:
        """No more frames are asked for."""
        self._alarm.close()

    async def opening(self) -> Frame:
        """The next frame before the session is open; all of these together have ``start_timeout`` seconds. Raises as ``next``."""
        if self._known:
            return await self.next()
        limit = self._options.start_timeout
        return await self._receive(self._begun + limit, f"expected a first frame that opens the session within {limit:g} seconds")

    async def next(self) -> Frame:
        """The next frame of an open session, which has ``idle_timeout`` seconds.

        Raises what it was stopped with, IdleTimeout, SessionTooLong, and what the socket raises.
        """
        return await self._receive(self._loop.time() + self._options.idle_timeout, self._idle)

    async def rest(self, wait: float) -> None:
        """Leave the client unread for ``wait`` seconds, which may be many minutes, or until it left with nothing more to read.

        Raises what it was stopped with, and at once, and Gone.
        """
        if wait <= 0:
            return
        self._metrics.slowed_seconds.inc(wait)
        with suppress(TimeoutError), self._alarm.at(self._loop.time() + wait):
            await self._socket.approach()
            await self._loop.create_future()
        if self._stopped is not None:
            raise self._stopped

    def check_length(self, heard: float) -> None:
        """Raise SessionTooLong once ``heard``, the seconds of audio that came, are more than a session may last."""
        limit = self._options.max_session_seconds
        if heard > limit:
            raise SessionTooLong(f"a session may have {limit:g} seconds of audio; send the rest in a new one")

    async def _receive(self, limit: float, late: str) -> Frame:
        if self._stopped is not None:
            raise self._stopped
        last_moment = self._begun + self._options.max_session_seconds
        try:
            with self._alarm.at(min(limit, last_moment)):
                frame = await self._socket.receive()
        except TimeoutError:
            raise self._overdue(limit, last_moment, late) from None
        self._metrics.frames_received.inc()
        self._metrics.bytes_received.inc(len(frame))
        return frame

    def _overdue(self, limit: float, last_moment: float, late: str) -> StarlingError:
        if self._stopped is not None:
            return self._stopped
        if limit >= last_moment:  # not by the time: a timer may fire a little early
            return SessionTooLong(f"a session may last {self._options.max_session_seconds:g} seconds; start a new one")
        return IdleTimeout(late)
