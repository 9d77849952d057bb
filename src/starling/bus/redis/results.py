"""ResultBus on Redis: a recognizer publishes, the gateway of a session's client listens."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn, TypeAlias

import msgspec

from starling.bus.history import KEPT, Progress, Stage
from starling.bus.memory import MemorySubscription
from starling.bus.redis.inbox import Inbox
from starling.bus.redis.link import Link
from starling.bus.redis.scripts import FENCED, GONE, STALE
from starling.bus.redis.scripts.results import DISMISS, PUBLISH, SUBSCRIBE
from starling.bus.redis.tenure import LOST, Fence
from starling.bus.shared.events import measure_number, pack_event, unpack_event
from starling.core.errors import IllegalTransition, ResultsLost, SessionGone
from starling.core.ports import Subscription
from starling.core.transcript import SessionDone, SessionEvent, SessionFailed, Transcript

_State: TypeAlias = tuple[int, bool, dict[int, list[int]], list[Transcript]]
"""Of ``Progress``: last final, whether it is over, stages told by segment, newest transcripts."""

_NOTHING: Final[_State] = (-1, False, {}, [])


@dataclass(slots=True)
class _Channel:
    """What was said of a session. ``token``: which subscription that was said to; ``number``: events so far."""

    token: str
    number: int
    progress: Progress
    newest: dict[int, Transcript]
    partial: int | None  # the segment of the partial that is kept

    @property
    def state(self) -> bytes:
        progress = self.progress
        told = {segment: [stage.value for stage in stages] for segment, stages in progress.told.items()}
        newest = [transcript for segment, transcript in self.newest.items() if segment > progress.final]
        return msgspec.msgpack.encode((progress.final, progress.over, told, newest))


class RecognizerResultBus:
    """The ResultBus of a recognizer. What its ``fence`` has lost is not published. ``kept``: lasting events of each session.

    What was told stands in Redis beside the results, written in the same step, so that a successor knows it.
    """

    def __init__(self, link: Link, fence: Fence, *, kept: int = KEPT) -> None:
        self._link = link
        self._fence = fence
        self._kept = kept
        self.published = 0
        self._channels: dict[str, _Channel] = {}

    async def subscribe(self, session_id: str, *, after: int | None = None) -> Subscription:  # noqa: ARG002 - the port's
        _not_here("listens to results", "a gateway")

    async def forget(self, session_id: str) -> None:
        """A gateway's."""
        self.drop(session_id)

    def drop(self, session_id: str) -> None:
        """Another recognizer goes on with the session."""
        self._channels.pop(session_id, None)

    async def publish(self, event: SessionEvent) -> None:
        session_id = event.session_id
        while True:
            partition, epoch = self._fence.place(session_id)
            channel = None if epoch == LOST else self._channels.pop(session_id, None) or await self._known(session_id)
            if channel is None or (new := channel.progress.accept(event)) is None:
                self._keep(session_id, channel)
                return
            answer = await self._tell(channel, new, partition, epoch)
            if answer == FENCED:
                self._fence.lost(partition)
            if answer != STALE:
                self.published += answer not in {GONE, FENCED}
                self._keep(session_id, channel if answer not in {GONE, FENCED} else None)
                return

    def _keep(self, session_id: str, channel: _Channel | None) -> None:
        """Remember it until its last word, or until another recognizer has it."""
        if channel is not None and not channel.progress.over:
            self._channels[session_id] = channel

    async def _tell(self, channel: _Channel, event: SessionEvent, partition: int, epoch: str) -> int:
        lasting = not (isinstance(event, Transcript) and not event.is_final)
        partial = ""
        if isinstance(event, Transcript):
            channel.newest[event.segment_id] = event
            channel.newest = {segment: it for segment, it in channel.newest.items() if segment > channel.progress.final}
        if not lasting:
            assert isinstance(event, Transcript)
            channel.partial, partial = event.segment_id, "1"
        elif channel.partial is not None and _settles(event, channel.partial):
            channel.partial, partial = None, "0"
        channel.number += 1
        entry = pack_event(event, channel.number)
        fields = (channel.token, channel.number, int(lasting), entry, channel.state, partial, self._kept)
        answer: int = await self._link.run(PUBLISH, event.session_id, partition, epoch, *fields)
        return answer

    async def _known(self, session_id: str) -> _Channel | None:
        """What Redis knows of the session's results; None where nobody listens."""
        key = f"{self._link.prefix}r:{session_id}"
        token, number, state, partial = await self._link.command("HMGET", key, "t", "n", "st", "pa")
        if token is None:
            return None
        known: _State = msgspec.msgpack.decode(state, type=_State) if state else _NOTHING
        final, over, told, newest = known
        progress = Progress(final=final, over=over, told={it: map(Stage, stages) for it, stages in told.items()}, newest=newest)
        kept = unpack_event(partial) if partial else None
        return _Channel(
            token.decode(),
            int(number),
            progress,
            {transcript.segment_id: transcript for transcript in newest},
            kept.segment_id if isinstance(kept, Transcript) else None,
        )


@dataclass(slots=True)
class _Listening:
    """``number``: of the newest event that was heard; ``early``: what came before that was known."""

    subscription: MemorySubscription | None = None
    number: int = 0
    early: list[bytes] = field(default_factory=list)


class GatewayResultBus:
    """The ResultBus of a gateway."""

    def __init__(self, link: Link, inbox: Inbox) -> None:
        self._link = link
        self._gateway = inbox.gateway
        self._listening: dict[str, _Listening] = {}
        inbox.on(b"e", self._on_event)
        inbox.on(b"x", self._on_moved)
        inbox.look_again(self._look)
        self._looking: set[asyncio.Task[None]] = set()

    async def subscribe(self, session_id: str, *, after: int | None = None) -> MemorySubscription:
        before = self._listening.get(session_id)
        listening = _Listening()
        self._listening[session_id] = listening
        try:
            answer = await self._link.run(SUBSCRIBE, self._gateway, session_id, "" if after is None else after)
            missed = _missed(answer, session_id, -1 if after is None else after)
        except BaseException:
            if self._listening.get(session_id) is listening:
                del self._listening[session_id]
                if before is not None:
                    self._listening[session_id] = before
                    for data in listening.early:
                        self._hear(session_id, before, data)
            raise
        if before is not None and before.subscription is not None:
            before.subscription.close()
        listening.number = answer[1]
        listening.subscription = MemorySubscription(missed)
        for data in listening.early:
            self._hear(session_id, listening, data)
        return listening.subscription

    async def publish(self, event: SessionEvent) -> None:  # noqa: ARG002 - the port's
        _not_here("publishes results", "a recognizer")

    async def forget(self, session_id: str) -> None:
        self._close(session_id)
        await self._link.run(DISMISS, self._gateway, session_id)

    def _close(self, session_id: str) -> None:
        listening = self._listening.pop(session_id, None)
        if listening is not None and listening.subscription is not None:
            listening.subscription.close()

    def _on_event(self, message: bytes) -> None:
        name, _, data = message.partition(b"\0")
        session_id = name.decode()
        if (listening := self._listening.get(session_id)) is None:
            return
        if listening.subscription is None:
            listening.early.append(data)
        else:
            self._hear(session_id, listening, data)

    def _hear(self, session_id: str, listening: _Listening, data: bytes) -> None:
        number, event = measure_number(data), unpack_event(data)
        if number <= listening.number or event is None or listening.subscription is None:
            return
        if number > listening.number + 1:  # which Redis does not let happen on one connection
            task = asyncio.create_task(self._look_at(session_id, listening), name="results")
            self._looking.add(task)
            task.add_done_callback(self._looking.discard)
            return
        listening.number = number
        listening.subscription.put(event)

    def _on_moved(self, message: bytes) -> None:
        self._close(message.decode())

    async def _look(self) -> None:
        """Whatever was published while nobody heard it."""
        for session_id, listening in list(self._listening.items()):
            if listening.subscription is not None:
                await self._look_at(session_id, listening)

    async def _look_at(self, session_id: str, listening: _Listening) -> None:
        answer = await self._link.run(SUBSCRIBE, self._gateway, session_id, "?")
        if self._listening.get(session_id) is not listening or listening.subscription is None:
            return
        if isinstance(answer, int):
            self._close(session_id)
            return
        _, newest, partial, *lasting = answer
        for data in sorted(filter(None, (*lasting, partial)), key=measure_number):
            if measure_number(data) > listening.number and (event := unpack_event(data)) is not None:
                listening.subscription.put(event)
        listening.number = max(listening.number, newest)


def _missed(answer: Any, session_id: str, after: int) -> list[SessionEvent]:
    """What somebody missed who knows everything up to the final of segment ``after``. Raises SessionGone, ResultsLost."""
    if isinstance(answer, int):
        raise SessionGone(f"nothing is kept of session {session_id}")
    if len(answer) == 1:
        raise ResultsLost(f"results up to segment {answer[0]} are not kept any more; start a new session")
    _, _, partial, *lasting = answer
    events = [event for data in (*lasting, partial) if data and (event := unpack_event(bytes(data))) is not None]
    return [event for event in events if isinstance(event, SessionDone | SessionFailed) or event.segment_id > after]


def _settles(event: SessionEvent, segment: int) -> bool:
    """Whether a partial of ``segment`` says nothing more once ``event`` is told."""
    if isinstance(event, SessionDone | SessionFailed):
        return True
    return isinstance(event, Transcript) and event.segment_id >= segment


def _not_here(what: str, who: str) -> NoReturn:
    raise IllegalTransition(f"only {who} {what}")
