"""The life of one session at the gateway: a listener turns the client's frames into records, a speaker events into frames.

Flow control is in what is *not* done: while the log has no room, or the client does not read its results, its socket is not read
either, and TCP slows it down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from starling.core.audio import seconds
from starling.core.errors import (
    ClientError,
    ServerError,
    SessionGone,
    ShuttingDown,
    SlowConsumer,
    StarlingError,
)
from starling.core.load import Priority
from starling.core.ports import AudioLog, Clock, LoadBoard, ResultBus, Subscription
from starling.core.records import Checkpoint, EndReason, Opened, Record
from starling.core.transcript import (
    SegmentFailed,
    SessionDone,
    SessionEvent,
    SessionFailed,
    SpeechEnded,
    SpeechStarted,
    Transcript,
)
from starling.gateway.arrivals import Arrivals
from starling.gateway.intake import Intake
from starling.gateway.options import GatewayOptions
from starling.gateway.pace import Pace
from starling.gateway.socket import Gone, Socket
from starling.protocols.errors import kind_of
from starling.protocols.verbs import Adapter, Configure, End, Feed, Finalize, Frame, KeepAlive, Open, OpenRequest, Verb
from starling.telemetry.logs import get_logger, log_context
from starling.telemetry.metrics import Metrics

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What a session at the gateway stands on. ``exposition``: the metrics of all processes; None shows this one's."""

    audio_log: AudioLog
    results: ResultBus
    board: LoadBoard
    clock: Clock
    metrics: Metrics
    exposition: Callable[[], Awaitable[bytes]] | None = None


class StreamSession:
    """One client, from its first frame to its last. ``trace_id``: 32 hexadecimal digits (W3C Trace Context)."""

    def __init__(
        self,
        socket: Socket,
        adapter: Adapter,
        options: GatewayOptions,
        ports: Ports,
        pace: Pace,
        *,
        session_id: str,
        trace_id: str,
        priority: Priority = Priority.NORMAL,
    ) -> None:
        self._session_id = session_id
        self._trace_id = trace_id
        self._socket = socket
        self._adapter = adapter
        self._options = options
        self._ports = ports
        self._pace = pace
        self._priority = priority
        self._arrivals = Arrivals(socket, options, ports.metrics)
        self._ended: EndReason | None = None
        self._over = False
        self._verdict: type[StarlingError] | None = None  # why it ends, unless the client wanted it to
        self._delivered = asyncio.Event()
        self._saying = asyncio.Lock()
        self._sent = 0  # frames, which an adapter numbers from 0
        self._results: Subscription | None = None
        self._intake: Intake | None = None

    @property
    def backlog(self) -> int:
        """Results that wait for the client."""
        return 0 if self._results is None else self._results.backlog

    @property
    def heard(self) -> float:
        """Seconds of audio that came in."""
        return 0.0 if self._intake is None else seconds(self._intake.position)

    def stop(self, error: ShuttingDown) -> None:
        """Take no more audio; finals still go out, then ``error`` and the end. Returns at once."""
        self._arrivals.stop(error)

    async def run(self) -> None:
        """Serve the client until it is gone or told that the session is over. Raises only CancelledError."""
        with log_context(session_id=self._session_id, trace_id=self._trace_id):
            try:
                await self._serve()
            except* Gone:
                pass
            except* SlowConsumer:
                self._verdict = SlowConsumer
            except* StarlingError as refused:
                await self._refuse(next(iter(_leaves(refused))))
            except* Exception:
                log.exception("session crashed")
                await self._refuse(ServerError("the gateway failed; start a new session"))
            finally:
                await self._settle()
            verdict = self._verdict
            await self._socket.close(*((1000, "") if verdict is None else (verdict.close_code, verdict.code)))

    async def _serve(self) -> None:
        opening, *verbs = await self._greeting()
        results = await self._open(opening.request)
        async with asyncio.TaskGroup() as group:
            conversation = [group.create_task(self._speak(results)), group.create_task(self._hear(verbs, results))]
            await asyncio.wait(conversation, return_when=asyncio.FIRST_COMPLETED)
            for task in conversation:
                task.cancel()

    # --- the beginning ---

    async def _greeting(self) -> tuple[Open, *tuple[Verb, ...]]:
        """Wait for the frame that opens the session. Any error here is the end: nothing after it can be understood."""
        while True:
            match self._adapter.receive(await self._arrivals.opening()):
                case [Open() as opening, *verbs]:
                    return opening, *verbs

    async def _open(self, request: OpenRequest) -> Subscription:
        intake = Intake(self._session_id, request, self._options.gate, self._ports.metrics)
        self._results = self._ports.results.subscribe(self._session_id)
        await self._ports.audio_log.append(
            Opened(self._session_id, self._trace_id, Checkpoint(config=request.config), self._priority)
        )
        self._intake = intake
        self._ports.metrics.sessions_opened.inc()
        log.info("session opened", encoding=request.audio.encoding, language=request.config.language, vad=request.config.vad)
        await self._say(partial(self._adapter.opened, self._session_id, self._trace_id), "ready")
        return self._results

    # --- the listener ---

    async def _hear(self, verbs: Sequence[Verb], results: Subscription) -> None:
        reason = await self._listen(verbs, results)
        await self._end(reason)
        if reason is not EndReason.DISCONNECTED:
            await self._attend(reason)

    async def _listen(self, verbs: Iterable[Verb], results: Subscription) -> EndReason:
        """Take audio until there is no more, and say why."""
        try:
            while True:
                for verb in verbs:
                    if isinstance(verb, End):
                        return EndReason.CLIENT
                    await self._obey(verb)
                verbs = await self._next_verbs(results)
        except Gone:
            return EndReason.DISCONNECTED
        except SlowConsumer:
            raise
        except SessionGone:  # recognition gave it up, and the speaker says why
            return EndReason.ERROR
        except ShuttingDown as error:
            self._verdict = type(error)
            return EndReason.SHUTDOWN
        except StarlingError as error:
            await self._refuse(error)
            return EndReason.ERROR

    async def _next_verbs(self, results: Subscription) -> Sequence[Verb]:
        while results.backlog > self._options.max_backlog:
            self._delivered.clear()
            await self._delivered.wait()
        frame = await self._arrivals.next()
        await self._arrivals.rest(self._pace.message())
        try:
            return self._adapter.receive(frame)
        except ClientError as error:  # the frame is refused and has changed nothing; the session goes on
            await self._say(partial(self._adapter.error, error), "error")
            return ()

    async def _obey(self, verb: Verb) -> None:
        assert self._intake is not None
        now = self._ports.clock.now()
        match verb:
            case Feed():
                before = self.heard
                for number, records in enumerate(self._intake.feed(verb.data, now)):
                    if number:
                        await self._socket.pause()  # a large message is many slices
                    await self._append(records)
                    self._arrivals.check_length(self.heard)
                await self._arrivals.rest(self._pace.audio(self.heard - before))
            case Finalize():
                await self._append(self._intake.finalize(now))
            case Configure():
                await self._append(self._intake.configure(verb.config, now))
            case Open() | KeepAlive() | End():
                pass

    async def _attend(self, reason: EndReason) -> None:
        """While the last results go out: notice a client that leaves, and tell one that goes on sending."""
        try:
            async with asyncio.timeout(self._options.finish_timeout):
                while True:
                    try:
                        frame = await self._socket.receive()
                        if reason is EndReason.CLIENT:
                            self._adapter.receive(frame)
                    except ClientError as error:
                        await self._say(partial(self._adapter.error, error), "error")
        except TimeoutError:
            await self._refuse(ServerError(f"recognition did not finish within {self._options.finish_timeout:g} seconds"))

    # --- the speaker ---

    async def _speak(self, results: Subscription) -> None:
        """Deliver events until the session is over."""
        async for event in results:
            if isinstance(event, SessionDone) and self._ended is EndReason.SHUTDOWN and (stopped := self._arrivals.stopped):
                await self._say(partial(self._adapter.error, stopped), "error")
            if isinstance(event, SessionFailed):
                self._verdict = kind_of(event.code)
            sequence = await self._say(partial(self._adapter.event, event), _label(event))
            if isinstance(event, Transcript) and event.is_final:
                log.info("final sent", sequence=sequence, segment=event.segment_id, version=event.revision)
            self._delivered.set()
        self._over = True

    async def _refuse(self, error: StarlingError) -> None:
        self._verdict = type(error)
        log.info("session refused" if self._intake is None else "session failed", code=error.code, message=error.message)
        with suppress(Gone, SlowConsumer):
            await self._say(partial(self._adapter.error, error), "error")

    async def _say(self, write: Callable[[], Sequence[Frame]], label: str) -> int:
        """Send what ``write`` gives; the number of the last frame sent. The lock keeps frames in the order of their numbers."""
        async with self._saying:
            if self._over:  # nothing follows the last word
                return self._sent - 1
            for frame in write():
                await self._socket.send(frame)
                self._sent += 1
            sequence = self._sent - 1
        self._ports.metrics.results_sent.labels(type=label).inc()
        return sequence

    # --- the end ---

    async def _end(self, reason: EndReason) -> None:
        """Hand over what is left of the audio, once. Afterwards nothing of the session waits for this gateway."""
        assert self._intake is not None
        if self._ended is not None:
            return
        self._ended = reason
        self._ports.metrics.sessions_ended.labels(reason=reason).inc()
        code = None if self._verdict is None else self._verdict.code
        log.info("session ended", reason=reason, code=code, audio_seconds=seconds(self._intake.position))
        records, fault = self._intake.end(reason, self._ports.clock.now())
        with suppress(StarlingError):  # the log is closed, or does not know the session any more
            await self._append(records)
        if fault is not None and reason is EndReason.CLIENT:
            await self._say(partial(self._adapter.error, fault), "error")

    async def _settle(self) -> None:
        if self._intake is not None:
            await self._end(EndReason.DISCONNECTED if self._verdict is None else EndReason.ERROR)
        if self._results is not None:
            self._results.close()
            self._ports.results.forget(self._session_id)

    async def _append(self, records: Iterable[Record]) -> None:
        for record in records:
            await self._ports.audio_log.append(record)


def _label(event: SessionEvent) -> str:
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


def _leaves(group: BaseExceptionGroup[StarlingError]) -> Iterable[StarlingError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
