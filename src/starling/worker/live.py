"""One session on its recognizer: the state machine, and the hands that do what it commands."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from starling.bus.memory import MemoryWitness
from starling.core.audio import Frames, seconds
from starling.core.errors import IllegalTransition, ServerError, StarlingError
from starling.core.ports import AudioLog, Clock, Engine, EngineStream, LoadBoard, ResultBus, Vad, VadStream, Witness
from starling.core.records import Audio, Ended, Finalize, Gap, Opened, Record
from starling.core.transcript import SegmentFailed, SessionEvent, SessionFailed, Transcript
from starling.scheduler.batcher import Job, Kind
from starling.scheduler.loop import Answer
from starling.session.commands import Begin, Command, Commit, DecodeFinal, DecodePartial, Deliver, Feed, Finish, Listen
from starling.session.machine import Session, State
from starling.session.options import SegmentationOptions
from starling.telemetry.logs import get_logger
from starling.telemetry.metrics import Metrics
from starling.worker.latency import Latency

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What a recognizer stands on."""

    audio_log: AudioLog
    results: ResultBus
    board: LoadBoard
    engine: Engine
    vad: Vad
    clock: Clock
    metrics: Metrics
    witness: Witness = field(default_factory=MemoryWitness)


class LiveSession:
    """A session and all that belongs to it here: detector state, engine streams, records it could not take yet.

    ``submit`` queues a decode. ``waiting``: the detector state and the frames it wants scored. A lock keeps
    its commands in the order given.
    """

    def __init__(self, opened: Opened, options: SegmentationOptions, ports: Ports, submit: Callable[[Job], None]) -> None:
        self.session_id = opened.session_id
        self.over = False
        self.waiting: tuple[VadStream, Frames] | None = None
        self._ear: VadStream | None = None
        self._session = Session(opened, options)
        self._trace_id = opened.trace_id
        self._ports = ports
        self._submit = submit
        self._latency = Latency(ports.clock, ports.metrics)
        self._streams: dict[int, EngineStream] = {}
        self._records: deque[Record] = deque()
        self._lock = asyncio.Lock()

    async def receive(self, record: Record) -> None:
        """Take a record of the log, now or once the scores are there that it must wait for."""
        if isinstance(record, Audio | Gap):
            self._latency.arrived(record.end, record.arrived)
        elif isinstance(record, Finalize | Ended):
            self._latency.told()
        self._records.append(record)
        async with self._lock:
            await self._advance()

    async def hear(self, scores: Sequence[float]) -> None:
        """Take the scores of what was waiting."""
        async with self._lock:
            self.waiting = None
            await self._step(partial(self._session.hear, scores))
            await self._advance()

    async def decoded(self, answer: Answer) -> None:
        """Take the engine's answer."""
        job = answer.job
        is_final = job.kind is Kind.FINAL
        async with self._lock:
            self._latency.decoded(job.segment_id, answer.cost)
            if is_final:
                self._streams.pop(job.segment_id, None)
            await self._step(partial(self._session.decoded, job.segment_id, answer.outcome, is_final=is_final))

    async def fail(self, error: StarlingError) -> None:
        """The session cannot go on, for a reason outside of it."""
        async with self._lock:
            await self._abandon(error)

    async def _advance(self) -> None:
        while self._records and self._session.state is State.LISTENING and not self.over:
            await self._step(partial(self._session.receive, self._records.popleft()))

    async def _step(self, step: Callable[[], list[Command]]) -> None:
        """Tell the session something and do what it commands. What goes wrong costs this session and no other."""
        if self.over:
            return
        try:
            for command in step():
                await self._perform(command)
        except Exception as error:
            if isinstance(error, StarlingError) and not isinstance(error, IllegalTransition):
                await self._abandon(error)
                return
            log.exception("session crashed", session_id=self.session_id, trace_id=self._trace_id)
            await self._abandon(ServerError(f"the recognizer failed ({type(error).__name__}); start a new session"))

    async def _perform(self, command: Command) -> None:
        match command:
            case Listen():
                if command.fresh or self._ear is None:
                    self._ear = self._ports.vad.create_stream(command.mode)
                self.waiting = (self._ear, command.frames)
            case Begin():
                self._streams[command.segment_id] = self._ports.engine.create_stream(command.options)
            case Feed():
                self._streams[command.segment_id].accept_waveform(command.samples)
            case DecodePartial():
                self._decode(command.segment_id, Kind.PARTIAL)
            case DecodeFinal():
                self._streams[command.segment_id].input_finished(command.end)
                self._decode(command.segment_id, Kind.FINAL)
            case Deliver():
                await self._deliver(command.event)
            case Commit():
                self._latency.committed(command.checkpoint.position)
                await self._ports.audio_log.commit(self.session_id, command.checkpoint)
            case Finish():
                await self._finish()

    def _decode(self, segment_id: int, kind: Kind) -> None:
        self._submit(Job(self.session_id, segment_id, kind, self._streams[segment_id], self._ports.clock.now()))

    async def _deliver(self, event: SessionEvent) -> None:
        latency = self._latency.delivered(event)
        if isinstance(event, Transcript) and event.is_final:
            log.info(
                "final",
                session_id=event.session_id,
                trace_id=self._trace_id,
                segment=event.segment_id,
                version=event.revision,
                start=seconds(event.start),
                end=seconds(event.end),
                latency=latency,
            )
        if isinstance(event, SegmentFailed):
            log.warning(
                "segment failed",
                session_id=event.session_id,
                trace_id=self._trace_id,
                segment=event.segment_id,
                code=event.code,
                message=event.message,
            )
        await self._ports.results.publish(event)

    async def _abandon(self, error: StarlingError) -> None:
        """Tell the client that the session cannot go on, and forget it."""
        if self.over:
            return
        log.warning("session abandoned", session_id=self.session_id, trace_id=self._trace_id, code=error.code)
        await self._ports.results.publish(SessionFailed(self.session_id, error.code, error.message))
        await self._finish()

    async def _finish(self) -> None:
        self.over = True
        self.waiting = None
        self._streams.clear()
        self._records.clear()
        await self._ports.audio_log.forget(self.session_id)
