"""The life of one session at the gateway, over one connection of its client or over several.

A connection that is lost ends the conversation on it and not the session, if its client asked for that: the session is *detached*
then, and keeps all it has, its place in admission too, until the client is back or its grace is over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from starling.core.errors import (
    InvalidMessage,
    InvalidOption,
    NotResumable,
    ServerError,
    SessionGone,
    ShuttingDown,
    SlowConsumer,
    StarlingError,
    Superseded,
    Unauthenticated,
)
from starling.core.ports import Subscription
from starling.core.records import Checkpoint, EndReason, Opened, Tail
from starling.core.sessions import Attachment, SessionEntry
from starling.gateway.allowance import Allowance
from starling.gateway.chronicle import Chronicle
from starling.gateway.connection import Connection
from starling.gateway.conversation import Conversation
from starling.gateway.doorstep import Doorstep, supersede
from starling.gateway.intake import Intake
from starling.gateway.life import ABSENT, MOVABLE, Event, Life, Stage
from starling.gateway.listing import Identity, Listing
from starling.gateway.options import GatewayOptions
from starling.gateway.ports import Ports
from starling.gateway.readers import unpacking
from starling.gateway.resumption import Resumables
from starling.gateway.socket import Gone
from starling.gateway.supply import Supply
from starling.protocols import verbs
from starling.protocols.verbs import OpenRequest, Resume, Verb
from starling.telemetry.logs import get_logger

log = get_logger(__name__)

FAREWELL = 2.0
"""Seconds that a client has to answer our close, which says that it has read everything."""


class StreamSession:
    """One session, from its client's first frame to the last.

    ``resumables``: where it is found by a client that comes back. ``opened`` is called once recognition knows of it.
    """

    def __init__(
        self,
        identity: Identity,
        connection: Connection | None,
        options: GatewayOptions,
        ports: Ports,
        *,
        allowance: Allowance,
        resumables: Resumables[StreamSession],
        opened: Callable[[], None] | None = None,
    ) -> None:
        self._identity = identity
        self._connection = connection
        self._options = options
        self._ports = ports
        self._allowance = allowance
        self._opened = opened
        self._listing = Listing[StreamSession](identity, ports.directory, resumables)
        self._request = OpenRequest()
        self._conversation: Conversation | None = None  # that of now
        self._supply: Supply | None = None
        self._results: Subscription | None = None
        self._failure: StarlingError | None = None  # what ended it
        self._stopped: ShuttingDown | Unauthenticated | None = None
        self._departing = False  # the gateway ends, and nobody comes back to it
        self._doorstep = Doorstep()
        self._was_adopted = connection is None
        self._life = Life()
        self._begun = asyncio.get_running_loop().time()
        self._began = time.time()
        self._chronicle = Chronicle(identity, ports)

    @classmethod
    async def adopted(
        cls,
        entry: SessionEntry,
        options: GatewayOptions,
        ports: Ports,
        *,
        allowance: Allowance,
        resumables: Resumables[StreamSession],
    ) -> StreamSession:
        """The session of ``entry`` that another gateway left, and whose client may come back here.

        Raises NotResumable for one that only the other gateway could have gone on with.
        """
        session = cls(Identity.of(entry), None, options, ports, allowance=allowance, resumables=resumables)
        session._request = OpenRequest(audio=entry.audio, config=entry.config, client_ref=entry.client_ref, resume=True)
        try:
            tail: Tail | None = await ports.audio_log.tail(entry.session_id)
        except SessionGone:  # recognition is through with it, and its results wait
            tail = None
        intake = Intake(entry.session_id, session._request, options.gate, ports.metrics, tail=tail, wave=entry.wave)
        ended = EndReason.CLIENT if tail is None or tail.ended else None
        session._supply = Supply(intake, ports.audio_log, ports.clock, note=session._listing.lay_out, ended=ended)
        session._life = Life(Stage.LIVE if ended is None else Stage.ENDING)
        session._began = entry.opened
        session._chronicle = Chronicle.adopted(entry, ports)
        session._listing.adopt(session, entry)
        return session

    @property
    def stage(self) -> Stage:
        """Where it is in its life."""
        return self._life.stage

    @property
    def log_ids(self) -> dict[str, str]:
        """What a line of the log has of it besides its own id."""
        return self._chronicle.ids

    @property
    def language(self) -> str:
        """That of the next segment."""
        current = self._request if self._conversation is None else self._conversation.request
        return current.config.language

    @property
    def backlog(self) -> int:
        """Results that wait for the client."""
        return 0 if self._results is None else self._results.backlog

    @property
    def heard(self) -> float:
        """Seconds of audio that came in."""
        return 0.0 if self._supply is None else self._supply.heard

    def stop(self, error: ShuttingDown | Unauthenticated) -> None:
        """Take no more audio; finals still go out, then ``error`` and the end. Returns at once."""
        self._stopped = error
        self._chronicle.stopped(error)
        if self._connection is not None:
            self._connection.arrivals.stop(error)
        if self.stage in ABSENT:
            self._doorstep.ring()

    def depart(self, goodbye: ShuttingDown) -> bool:
        """The gateway ends, and from now on waits for nobody who loses its connection. Returns at once.

        Where there are other gateways the session is left as it is for one of them to go on with, and this is True, if its client
        may come back and is either away or has more to say. Else it takes no more audio, as ``stop`` has it, and ``goodbye`` is
        the reason; it is left to the others all the same if its client loses its connection before it has heard the rest.
        """
        self._departing = True
        if self._left_to_others():
            return True
        self.stop(goodbye)
        return False

    def _left_to_others(self) -> bool:
        if not (self._ports.shared and self._listing.listed and self.stage in MOVABLE):
            return False
        self._life.go(Event.MOVED)
        self._doorstep.ring()
        return True

    async def moved(self) -> bool:
        """Whether another gateway goes on with it."""
        return self._ports.shared and not await self._listing.owned()

    def leave(self) -> None:
        """Another gateway goes on with it: what is known here is old. Returns at once."""
        if self.stage not in {Stage.MOVED, Stage.OVER}:
            self._life.go(Event.MOVED)
            self._doorstep.ring()

    async def run(self) -> None:
        """Serve the client until it is gone for good or told that the session is over. Raises only CancelledError."""
        with self._chronicle.context():
            try:
                await self._live()
            except Gone:
                pass
            except StarlingError as refused:
                await self._refuse(refused)
            except Exception:
                log.exception("session crashed")
                await self._refuse(ServerError("the gateway failed; start a new session"))
            finally:
                await self._settle()
            if self._connection is not None and not self._connection.renewed():
                await self._connection.close()

    async def attach(self, connection: Connection, resume: Resume, allowance: Allowance) -> None:
        """Go on over ``connection``, whose client is back; returns when that is over. One that came before gives way.

        ``allowance``: that of its client, for a session that came here without one that knows its key.

        Raises NotResumable when the session is over.
        """
        if self.stage is Stage.OVER:
            raise NotResumable("the session is over; start a new one")
        if self._was_adopted:
            self._allowance = allowance
        await self._doorstep.come(connection, resume)
        await connection.finished.wait()

    # --- the life ---

    async def _live(self) -> None:
        verbs: Sequence[Verb] = ()
        if self._connection is not None:
            opening, *verbs = await self._connection.greeting()
            if isinstance(opening, Resume):
                raise InvalidMessage("expected start, got resume: to resume a session, connect to /v1/stream?resume")
            self._results = await self._open(self._connection, opening.request)
            if not await self._converse(self._connection, self._results, verbs):
                return
        while (back := await self._reattached()) is not None and await self._converse(*back, ()):
            pass

    async def _open(self, connection: Connection, request: OpenRequest) -> Subscription:
        identity = self._identity
        unpacked = unpacking(self._ports.witness, self._allowance.network, request.audio.encoding)
        intake = Intake(identity.session_id, request, self._options.gate, self._ports.metrics, unpacking=unpacked)
        results = await self._ports.results.subscribe(identity.session_id)
        checkpoint = Checkpoint(config=request.config)
        opened = Opened(identity.session_id, identity.trace_id, checkpoint, identity.priority, identity.span)
        await self._ports.audio_log.append(opened)
        self._request = request
        self._allowance.opened(request.config.hotwords)
        self._supply = Supply(intake, self._ports.audio_log, self._ports.clock, note=self._listing.lay_out)
        self._life.go(Event.OPENED)
        if self._opened is not None:
            self._opened()
        self._chronicle.opened(request, connection.protocol)
        token = await self._listing.add(self, request, self._began) if request.resume else None
        await connection.say(partial(connection.adapter.opened, self._described(token)), "ready")
        return results

    def _described(self, token: str | None = None) -> verbs.Opened:
        identity = self._identity
        return verbs.Opened(
            session_id=identity.session_id,
            trace_id=identity.trace_id,
            token=token,
            grace=self._options.resume_grace,
            began=self._began,
        )

    async def _converse(self, connection: Connection, results: Subscription, verbs: Sequence[Verb]) -> bool:
        """Talk over ``connection`` until that is over. Whether the client may be expected back."""
        assert self._supply is not None
        conversation = self._conversation = Conversation(
            connection,
            self._supply,
            results,
            self._options,
            self._allowance,
            request=self._request,
            ending=self._ending,
            moved=self.moved,
        )
        talking = asyncio.create_task(conversation.run(verbs))
        arriving = asyncio.create_task(self._doorstep.knocked())
        try:
            await asyncio.wait((talking, arriving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (talking, arriving):
                task.cancel()
            await asyncio.wait((talking, arriving))
            self._request, self._conversation = conversation.request, None
            self._failure = conversation.failure or self._failure
        if connection.over and self.stage is Stage.MOVED:
            self._life.go(Event.SAID)
        if self.stage is Stage.MOVED:
            connection.verdict = ShuttingDown
            return False
        if talking.cancelled():
            await supersede(connection)
            return True
        return await self._left(connection, talking.exception())

    async def _left(self, connection: Connection, error: BaseException | None) -> bool:
        """After a conversation: whether its client may be expected back."""
        resumable = self._listing.listed
        if error is None and not connection.over:
            self._life.go(Event.MOVED)
            raise Superseded("the session goes on at another server")
        if isinstance(error, SessionGone):  # another gateway took it, and the client is still here: it finds the way
            self.leave()
            connection.verdict = ShuttingDown
            return False
        if isinstance(error, SlowConsumer):  # which is what a network that is gone looks like from here
            connection.verdict = SlowConsumer
        elif error is not None and not isinstance(error, Gone):
            raise error
        if not resumable:
            if isinstance(error, SlowConsumer):
                raise error
            return False
        if isinstance(error, Gone) and error.deliberate:
            return False
        await connection.close()
        return error is not None or not await connection.socket.farewell(FAREWELL)

    async def _reattached(self) -> tuple[Connection, Subscription] | None:
        """The next connection of a client that was away, and what it missed; None if it stays away or is not waited for."""
        self._life.go(Event.LOST)
        grace = 0.0 if self._departing else self._options.resume_grace
        await self._listing.note(Attachment.DETACHED, self._request)
        self._chronicle.detached(grace)
        self._ports.metrics.sessions_detached.inc()
        try:
            back = await self._back(asyncio.get_running_loop().time() + grace)
        finally:
            self._ports.metrics.sessions_detached.dec()
        if back is None:
            if self._departing:
                self._left_to_others()
            return None
        self._life.go(Event.BACK)
        await self._listing.note(Attachment.ATTACHED, self._request)
        self._connection, self._results = back
        if self._stopped is not None:
            self._connection.arrivals.stop(self._stopped)
        if self._failure is not None:
            await self._connection.refuse(self._failure)
        self._chronicle.resumed()
        return back

    async def _back(self, deadline: float) -> tuple[Connection, Subscription] | None:
        """The first connection by ``deadline`` on the loop's time over which the client can go on."""
        while await self._doorstep.waited(0.0 if self._departing else deadline) and self.stage is not Stage.MOVED:
            incoming = self._doorstep.take()
            if incoming is None:  # nobody came: the session was stopped
                return None
            if (results := await self._welcome(*incoming)) is not None:
                return incoming[0], results
        return None

    async def _welcome(self, connection: Connection, resume: Resume) -> Subscription | None:
        """Let a client go on; None if it cannot, which it was told."""
        assert self._supply is not None
        connection.arrivals.began(self._begun)
        supply, adapter = self._supply, connection.adapter
        received = resume.sent if supply.ended else supply.taken
        try:
            if resume.sent < received:
                raise InvalidOption(f"sent must be at least {received}, the bytes that came here; got {resume.sent}")
            await connection.socket.pause()  # who has left may be listening elsewhere
            results = await self._ports.results.subscribe(self._identity.session_id, after=resume.last_result)
            ended = supply.ended is EndReason.CLIENT
            await connection.say(partial(adapter.resumed, self._described(), self._request, received, ended=ended), "resumed")
        except Gone:
            await connection.close()
        except SessionGone:
            if await self.moved():
                self.leave()
                connection.verdict = ShuttingDown
            else:
                await connection.refuse(NotResumable("nothing is kept of the session any more; start a new one"))
            await connection.close()
        except StarlingError as error:
            await connection.refuse(error)
            await connection.close()
        else:
            self._ports.metrics.sessions_resumed.labels(outcome="resumed").inc()
            return results
        self._ports.metrics.sessions_resumed.labels(outcome="refused").inc()
        return None

    # --- the end ---

    async def _refuse(self, error: StarlingError) -> None:
        self._failure = error
        log.info("session refused" if self._supply is None else "session failed", code=error.code, message=error.message)
        if self._connection is not None:
            await self._connection.refuse(error)

    def _ending(self, reason: EndReason) -> None:
        self._life.go(Event.ENDED)
        self._chronicle.ended(reason, heard=self.heard, failure=self._failure)

    async def _settle(self) -> None:
        """Nothing of the session waits for this gateway any more."""
        moved = self.stage is Stage.MOVED
        if moved:
            self._chronicle.left()
        self._life.go(Event.SETTLED)
        self._listing.close()
        if (incoming := self._doorstep.take()) is not None:
            connection = incoming[0]
            if moved:
                connection.verdict = ShuttingDown
            else:
                await connection.refuse(NotResumable("the session is over; start a new one"))
            await connection.close()
        if self._results is not None:
            self._results.close()
        with suppress(ShuttingDown):  # the bus is closed: whoever comes after this gateway settles it
            if not moved:
                await self._let_go()
        self._chronicle.closed(heard=self.heard, error="" if self._failure is None else self._failure.code)

    async def _let_go(self) -> None:
        if not await self._listing.owned():
            self._chronicle.left()
            return
        if self._supply is not None and self._supply.ended is None:
            reason = EndReason.DISCONNECTED if self._failure is None else EndReason.ERROR
            if self._stopped is not None:
                reason = EndReason.SHUTDOWN if isinstance(self._stopped, ShuttingDown) else EndReason.ERROR
            self._chronicle.ended(reason, heard=self.heard, failure=self._failure)
            with suppress(StarlingError):  # the log is closed, or does not know the session any more
                await self._supply.end(reason)
        if self._supply is not None:
            await self._ports.results.forget(self._identity.session_id)
            await self._ports.directory.remove(self._identity.session_id)
