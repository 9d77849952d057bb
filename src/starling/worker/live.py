"""One session on its recognizer: the state machine, and the hands that do what it commands."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from starling.core.audio import FRAME, Frames, seconds
from starling.core.errors import IllegalTransition, ServerError, StarlingError
from starling.core.ports import VadStream
from starling.core.records import Audio, Configure, Ended, Finalize, Gap, Opened, Record
from starling.core.transcript import SegmentFailed, SessionEvent, SessionFailed, Transcript
from starling.scheduler.job import Job, Kind
from starling.scheduler.loop import Answer
from starling.scheduler.pace import Pace
from starling.session.commands import Begin, Command, Commit, DecodeFinal, DecodePartial, Deliver, Feed, Finish, Listen, Settled
from starling.session.machine import Session, State
from starling.session.options import SegmentationOptions
from starling.telemetry.logs import get_logger
from starling.worker.latency import Latency
from starling.worker.outbox import Outbox, Outgoing, Spawn
from starling.worker.ports import Ports
from starling.worker.tracing import SessionTracing
from starling.worker.utterance import Utterance
from starling.worker.watchdog import PATIENCE, Watchdog

log = get_logger(__name__)


class LiveSession:
    """A session and all that belongs to it here: detector state, engine streams, records it could not take yet.

    Nothing here waits: what must is done by its outbox. ``submit`` queues a decode, ``spawn`` starts the outbox's tasks, and
    ``moved`` is called when something happened meanwhile. ``waiting``: the detector state and the frames it wants scored.
    ``ended``: it takes nothing more.
    """

    def __init__(
        self,
        opened: Opened,
        options: SegmentationOptions,
        ports: Ports,
        *,
        submit: Callable[[Job], None],
        spawn: Spawn,
        moved: Callable[[LiveSession], None],
    ) -> None:
        self.session_id = opened.session_id
        self.waiting: tuple[VadStream, Frames] | None = None
        self.ended = False
        self._ear: VadStream | None = None
        self._session = Session(opened, options)
        self.tracing = SessionTracing(opened, ports.tracer, ports.clock, ports.engine.capabilities)
        self._ports = ports
        self._submit = submit
        self._moved = moved
        self._priority = opened.priority
        self._interval = opened.checkpoint.config.partial_interval
        self._pace = Pace()
        self._latency = Latency(ports.clock, ports.metrics)
        self._streams: dict[int, Utterance] = {}
        self._watchdog = Watchdog(max(PATIENCE, options.max_segment + 5))
        self._speech_threshold = options.onset_threshold
        self._records: deque[Record] = deque()
        self._outbox = Outbox(self._send, spawn=spawn, moved=self._go_on, failed=self._cut_off)

    @property
    def over(self) -> bool:
        """Whether it has ended, and everybody was told."""
        return self.ended and not self._outbox

    @property
    def ahead(self) -> bool:
        """Whether its client sends faster than anybody speaks."""
        return self._pace.ahead(self._ports.clock.now())

    def receive(self, record: Record) -> None:
        """Take a record of the log, now or once the scores are there that it must wait for."""
        if self.ended:
            return
        if isinstance(record, Audio | Gap):
            self._latency.arrived(record.end, record.arrived)
            self._pace.arrived(record.end, record.arrived)
            self.tracing.heard(record.arrived)
        elif isinstance(record, Finalize | Ended):
            self._latency.told()
        self._records.append(record)
        self._advance()

    def hear(self, scores: Sequence[float]) -> None:
        """Take the scores of what was waiting."""
        self.waiting = None
        self._listened(scores)
        self._step(partial(self._session.hear, scores))
        self._advance()

    def decoded(self, answer: Answer) -> None:
        """Take the engine's answer."""
        job = answer.job
        is_final = job.kind is Kind.FINAL
        self._latency.decoded(job.segment_id, answer.cost)
        if is_final:
            self._streams.pop(job.segment_id, None)
        elif (utterance := self._streams.get(job.segment_id)) is not None:
            utterance.tried += 1
        self._step(partial(self._session.decoded, job.segment_id, answer.outcome, is_final=is_final))
        self._advance()

    def close(self) -> None:
        """Once it is over. Nothing refers to it in a circle from then on: its memory is free as soon as nobody knows it."""
        self._outbox.close()

    def drop(self) -> None:
        """Another recognizer goes on with the session: say nothing more of it."""
        self._stop()
        self._outbox.clear()

    def fail(self, error: StarlingError) -> None:
        """The session cannot go on: tell the client, and forget it."""
        if self.ended:
            return
        log.warning("session abandoned", session_id=self.session_id, **self.tracing.log_ids, code=error.code)
        self._outbox.put(Deliver(SessionFailed(self.session_id, error.code, error.message)))
        self._perform(Finish())

    def _advance(self) -> None:
        while self._records and self._session.state is State.LISTENING and not self.ended and not self._outbox.full:
            record = self._records.popleft()
            if isinstance(record, Configure):
                self._interval = record.config.partial_interval
            self._step(partial(self._session.receive, record))

    def _step(self, step: Callable[[], list[Command]]) -> None:
        """Tell the session something and do what it commands. What goes wrong costs this session and no other."""
        if self.ended:
            return
        try:
            for command in step():
                self._perform(command)
        except Exception as error:
            if isinstance(error, StarlingError) and not isinstance(error, IllegalTransition):
                self.fail(error)
                return
            log.exception("session crashed", session_id=self.session_id, **self.tracing.log_ids)
            self.fail(ServerError(f"the recognizer failed ({type(error).__name__}); start a new session"))

    def _perform(self, command: Command) -> None:
        match command:
            case Listen():
                if command.fresh or self._ear is None:
                    self._ear = self._ports.vad.create_stream(command.mode)
                self.waiting = (self._ear, command.frames)
            case Begin():
                self._streams[command.segment_id] = Utterance(self._ports.engine.create_stream(command.options))
            case Feed():
                self._streams[command.segment_id].feed(command.samples)
            case DecodePartial():
                self._decode(command.segment_id, Kind.PARTIAL)
            case DecodeFinal():
                self._streams[command.segment_id].stream.input_finished(command.end)
                self._decode(command.segment_id, Kind.FINAL)
            case Settled():
                self._count(command)
            case Deliver() | Commit():
                self._tell(command)
            case Finish():
                self._stop()
                self._outbox.put(command)

    def _tell(self, command: Deliver | Commit) -> None:
        self._outbox.put(command)
        if isinstance(command, Deliver) and isinstance(command.event, Transcript):
            utterance = self._streams.get(command.event.segment_id)
            if utterance is not None:
                utterance.shown = True

    def _stop(self) -> None:
        self.ended = True
        self.tracing.over()
        self.waiting = None
        self._streams.clear()
        self._records.clear()

    def _listened(self, scores: Sequence[float]) -> None:
        speech = seconds(FRAME * sum(score >= self._speech_threshold for score in scores))
        self._ports.metrics.speech_seconds.inc(speech)
        if self._watchdog.heard(speech, self._ports.clock.now()):
            self._ports.metrics.speech_without_text.inc()
            log.warning("speech without text", session_id=self.session_id, **self.tracing.log_ids)

    def _count(self, settled: Settled) -> None:
        self._ports.metrics.words.inc(settled.words)
        if settled.withheld is not None:
            self._ports.metrics.texts_withheld.labels(reason=settled.withheld).inc()
            log.info(
                "text withheld",
                session_id=self.session_id,
                **self.tracing.log_ids,
                segment=settled.segment_id,
                reason=settled.withheld,
            )

    def _decode(self, segment_id: int, kind: Kind) -> None:
        utterance = self._streams[segment_id]
        self._submit(
            Job(
                self.session_id,
                segment_id,
                kind,
                utterance.stream,
                submitted=self._ports.clock.now(),
                due=self._pace.due(self._session.heard),
                audio=utterance.audio,
                first=utterance.first,
                interval=self._interval,
                priority=self._priority,
            )
        )

    # --- what the outbox does ---

    async def _send(self, entry: Outgoing) -> None:
        match entry:
            case Deliver():
                self._observe(entry.event)
                await self._ports.results.publish(entry.event)
            case Commit():
                self._latency.committed(entry.checkpoint.position)
                self._pace.committed(entry.checkpoint.position)
                await self._ports.audio_log.commit(self.session_id, entry.checkpoint)
            case Finish():
                await self._ports.audio_log.forget(self.session_id)

    def _go_on(self) -> None:
        self._advance()
        self._moved(self)

    def _cut_off(self, error: Exception) -> None:
        """The bus failed."""
        log.error("results could not be delivered", session_id=self.session_id, **self.tracing.log_ids, exc_info=error)
        if self.ended:
            self._outbox.put(Finish())
        else:
            self.fail(ServerError(f"results could not be delivered ({type(error).__name__}); start a new session"))

    def _observe(self, event: SessionEvent) -> None:
        timeline = self._latency.delivered(event)
        if isinstance(event, Transcript) and event.text:
            self._watchdog.said()
        if isinstance(event, Transcript) and timeline is not None:
            log.info(
                "final",
                session_id=event.session_id,
                **self.tracing.final(event, timeline),
                segment=event.segment_id,
                version=event.revision,
                start=seconds(event.start),
                end=seconds(event.end),
                latency=timeline.latency,
            )
        if isinstance(event, SegmentFailed):
            log.warning(
                "segment failed",
                session_id=event.session_id,
                **self.tracing.log_ids,
                segment=event.segment_id,
                code=event.code,
                message=event.message,
            )
