"""One connection's share of a session: a listener turns the client's frames into records, a speaker events into frames.

Flow control is in what is *not* done: while the log has no room, or the client does not read its results, its socket is not read
either, and TCP slows it down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from starling.core.errors import ClientError, ServerError, SessionGone, ShuttingDown, SlowConsumer, StarlingError
from starling.core.ports import Subscription
from starling.core.records import EndReason
from starling.core.transcript import (
    SegmentFailed,
    SessionDone,
    SessionEvent,
    SessionFailed,
    SpeechEnded,
    SpeechStarted,
    Transcript,
)
from starling.gateway.allowance import Allowance
from starling.gateway.connection import Connection
from starling.gateway.options import GatewayOptions
from starling.gateway.supply import Supply
from starling.protocols.errors import kind_of
from starling.protocols.verbs import Configure, End, Feed, Finalize, KeepAlive, Leave, Open, OpenRequest, Resume, Say, Verb
from starling.telemetry.logs import get_logger

log = get_logger(__name__)

ACK_EVERY: Final = 1.0
"""Seconds of audio between two confirmations."""


class Conversation:
    """``request`` is what the session is now; ``failure`` what ended it, which a client that comes back hears again.

    ``ending`` is told once that no more audio comes, and why. ``moved`` says whether another gateway goes on with the session.
    """

    def __init__(
        self,
        connection: Connection,
        supply: Supply,
        results: Subscription,
        options: GatewayOptions,
        allowance: Allowance,
        *,
        request: OpenRequest,
        ending: Callable[[EndReason], None],
        moved: Callable[[], Awaitable[bool]],
    ) -> None:
        self.request = request
        self.failure: StarlingError | None = None
        self._connection = connection
        self._supply = supply
        self._results = results
        self._options = options
        self._allowance = allowance
        self._ending = ending
        self._moved = moved
        self._delivered = asyncio.Event()
        self._confirmed = supply.safe
        self._confirmed_at = supply.heard

    async def run(self, verbs: Sequence[Verb]) -> None:
        """Until all is said (then ``connection.over``), or another gateway listens.

        Raises Gone, SessionGone when another gateway goes on with the session, and what went wrong.
        """
        speaking = asyncio.create_task(self._speak())
        hearing = asyncio.create_task(self._hear(verbs))
        tasks = (speaking, hearing)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None and not self._connection.over:
                raise error

    # --- the listener ---

    async def _hear(self, verbs: Sequence[Verb]) -> None:
        with suppress(StarlingError):  # what a connection before this one left; the next record meets the error again
            await self._supply.write()
        reason = self._supply.ended
        if reason is None:
            reason = await self._listen(verbs)
            await self.end(reason)
        await self._attend(reason)

    async def _listen(self, verbs: Sequence[Verb]) -> EndReason:
        """Take audio until there is no more, and say why."""
        try:
            while True:
                for place, verb in enumerate(verbs):
                    if isinstance(verb, End):
                        self._connection.waiting = verbs[place + 1 :]
                        return EndReason.CLIENT
                    await self._obey(verb)
                verbs = await self._next_verbs()
        except SlowConsumer:
            raise
        except SessionGone:
            if await self._moved():
                raise
            # recognition gave it up, and the speaker says why
            return EndReason.ERROR
        except ShuttingDown as error:
            self._connection.verdict = type(error)
            return EndReason.SHUTDOWN
        except StarlingError as error:
            await self.refuse(error)
            return EndReason.ERROR

    async def _next_verbs(self) -> Sequence[Verb]:
        while self._results.backlog > self._options.max_backlog:
            self._delivered.clear()
            await self._delivered.wait()
        connection = self._connection
        frame = await connection.arrivals.next()
        await connection.arrivals.rest(self._allowance.message())
        try:
            return connection.understand(frame)
        except ClientError as error:  # the frame is refused and has changed nothing
            if not connection.adapter.forgives:
                raise
            await connection.say(partial(connection.adapter.error, error), "error")
            return ()

    async def _obey(self, verb: Verb) -> None:
        supply, arrivals = self._supply, self._connection.arrivals
        match verb:
            case Feed():
                before = supply.heard
                await supply.feed(verb.data, self._pause)
                arrivals.check_length(supply.heard)
                await self._confirm(at_once=False)
                await arrivals.rest(self._allowance.audio(supply.heard - before))
            case Finalize():
                await supply.finalize()
                await self._confirm()
            case Configure():
                self.request = self.request.configured(verb.config)
                await supply.configure(verb.config)
                await self._confirm()
                await arrivals.rest(self._allowance.hotwords(verb.config.hotwords))
            case KeepAlive():
                await self._confirm(asked=True)
            case Say():
                await self._connection.answer(verb.frames)
            case Open() | Resume() | End() | Leave():
                pass

    async def _pause(self) -> None:
        await self._connection.socket.pause()
        self._connection.arrivals.check_length(self._supply.heard)

    async def _confirm(self, *, at_once: bool = True, asked: bool = False) -> None:
        """Tell a client that may come back what it need not keep; one that ``asked`` also if that is nothing new."""
        supply = self._supply
        if not self.request.resume or (supply.safe <= self._confirmed and not asked):
            return
        if at_once or supply.heard - self._confirmed_at >= ACK_EVERY:
            self._confirmed, self._confirmed_at = supply.safe, supply.heard
            await self._connection.say(partial(self._connection.adapter.acknowledged, supply.safe), "ack")

    async def _attend(self, reason: EndReason) -> None:
        """While the last results go out: notice a client that leaves, and tell one that goes on sending."""
        connection = self._connection
        try:
            async with asyncio.timeout(self._options.finish_timeout):
                if connection.adapter.lasts:  # what the client says next is about its next session
                    await connection.socket.approach()
                    await asyncio.get_running_loop().create_future()
                verbs, connection.waiting = connection.waiting, ()
                while True:
                    for verb in verbs:
                        if isinstance(verb, Say):
                            await connection.answer(verb.frames)
                        elif isinstance(verb, KeepAlive):
                            await self._confirm(asked=True)
                    verbs = ()
                    try:
                        frame = await connection.socket.receive()
                        if reason is EndReason.CLIENT:
                            verbs = connection.understand(frame)
                    except ClientError as error:
                        await connection.say(partial(connection.adapter.error, error), "error")
        except TimeoutError:
            raise ServerError(f"recognition did not finish within {self._options.finish_timeout:g} seconds") from None

    # --- the speaker ---

    async def _speak(self) -> None:
        """Deliver events until the session is over."""
        connection = self._connection
        async for event in self._results:
            stopped = connection.arrivals.stopped
            if isinstance(event, SessionDone) and self._supply.ended is EndReason.SHUTDOWN and stopped is not None:
                await connection.say(partial(connection.adapter.error, stopped), "error")
            if isinstance(event, SessionFailed):
                connection.verdict = kind_of(event.code)
            sequence = await connection.say(partial(connection.adapter.event, event), label(event))
            if isinstance(event, Transcript) and event.is_final:
                log.info("final sent", sequence=sequence, segment=event.segment_id, version=event.revision)
            self._delivered.set()
            if isinstance(event, SessionDone | SessionFailed):
                connection.over = True

    # --- the end ---

    async def refuse(self, error: StarlingError) -> None:
        """The session ends with ``error``."""
        self.failure = error
        log.info("session failed", code=error.code, message=error.message)
        await self._connection.refuse(error)

    async def end(self, reason: EndReason) -> None:
        """No more audio comes."""
        fault = None
        self._ending(reason)
        with suppress(StarlingError):  # the log is closed, or does not know the session any more
            fault = await self._supply.end(reason)
        if fault is not None and reason is EndReason.CLIENT:
            await self._connection.say(partial(self._connection.adapter.error, fault), "error")
        await self._confirm()


def label(event: SessionEvent) -> str:
    """The value of the label of ``Metrics.results_sent`` for ``event``."""
    match event:
        case Transcript():
            return "final" if event.is_final else "partial"
        case SpeechStarted():
            return "speech_started"
        case SpeechEnded():
            return "speech_ended"
        case SessionDone():
            return "done"
        case SegmentFailed() | SessionFailed():
            return "error"
