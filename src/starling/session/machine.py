"""The session: what one client's audio becomes, decided by samples alone.

Its owner gives it the records of the log one at a time and does what the commands say. After ``Listen`` it takes no record until
``hear`` brought the scores, nor while a pause is judged; other hypotheses come whenever they are ready. Every point at which
listening starts afresh (an endpoint, a forced one, a gap, long silence) is also a checkpoint: a session restored there says what
this one would have said.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from enum import Enum, auto

from starling.core.audio import FRAME, samples
from starling.core.errors import EngineFailed, IllegalTransition
from starling.core.ports import StreamOptions
from starling.core.records import Audio, Checkpoint, Configure, Ended, Finalize, Gap, Opened, Record
from starling.core.transcript import Hypothesis, SegmentFailed, SessionDone, SpeechEnded, SpeechStarted
from starling.session.buffer import SampleBuffer
from starling.session.commands import Begin, Command, Commit, DecodeFinal, DecodePartial, Deliver, Feed, Finish, Listen, Settled
from starling.session.endpointing import Endpoint, Endpointer, Idle, Onset, Pause, finished
from starling.session.options import SegmentationOptions
from starling.session.segment import Segment, SegmentState, Tried

LISTEN_BLOCK = 16
"""Frames scored at a time (0.5 s): what is scored past an endpoint is scored again."""


class State(Enum):
    """Where a session is in its life."""

    LISTENING = auto()
    SCORING = auto()
    TRYING = auto()
    ENDING = auto()
    DONE = auto()


class Event(Enum):
    """What a session is told."""

    RECORD = auto()
    SCORES = auto()
    DECODED = auto()


LEGAL: frozenset[tuple[State, Event]] = frozenset(
    {
        (State.LISTENING, Event.RECORD),
        (State.LISTENING, Event.DECODED),
        (State.SCORING, Event.SCORES),
        (State.SCORING, Event.DECODED),
        (State.TRYING, Event.DECODED),
        (State.ENDING, Event.DECODED),
    }
)
"""A missing pair is the error; it changes nothing."""


class Session:
    """One session, from ``opened`` on."""

    def __init__(self, opened: Opened, options: SegmentationOptions) -> None:
        checkpoint = opened.checkpoint
        self.session_id = opened.session_id
        self.state = State.LISTENING
        self._options = options
        self._config = self._next_config = checkpoint.config
        self._audio = SampleBuffer(checkpoint.position)
        self._ear = self._fresh_ear(checkpoint.position)
        self._forget = True
        self._next_segment = checkpoint.next_segment
        self._sequence = self._replayed = checkpoint.sequence
        self._segments: dict[int, Segment] = {}  # open or awaiting their finals, in order
        self._finals: dict[int, Hypothesis | EngineFailed] = {}  # came before those of earlier segments
        self._checkpoints: dict[int, Checkpoint] = {}  # by next_segment: due once all segments before it are settled
        self._unheard: deque[float] = deque()  # scores of frames that follow a pause which is being judged
        self._commands: list[Command] = []

    @property
    def heard(self) -> int:
        """The position up to which it has listened, or from which it listens afresh."""
        return self._ear.position

    # --- what the owner calls ------------------------------------------------------------------------------------------

    def receive(self, record: Record) -> list[Command]:
        """Take the next record of the log. Raises IllegalTransition while scores are awaited, after Ended, or past a hole."""
        self._require(Event.RECORD)
        if isinstance(record, Opened):
            raise IllegalTransition("a session is opened by making it")
        if isinstance(record, Audio | Gap) and record.start > self._audio.end:
            raise IllegalTransition(f"expected sound from position {self._audio.end}, got it from {record.start}")
        self._sequence = max(self._sequence, record.sequence)
        match record:
            case Audio():
                self._audio.append(record.samples[self._audio.end - record.start :])  # a replay may begin in the middle of one
            case Gap():
                self._skip(record.end)
            case Finalize() | Configure() if record.sequence <= self._replayed:
                pass
            case Finalize():
                self._end_speech(restart=self._audio.end)
            case Configure():
                self._next_config = record.config
                self._reconfigure()
            case Ended():
                self._end_speech(restart=self._audio.end)
                self.state = State.ENDING
        return self._flush()

    def hear(self, scores: Sequence[float]) -> list[Command]:
        """Take the speech probabilities of the frames of the last Listen."""
        self._require(Event.SCORES)
        self._unheard.extend(scores)
        self._hear()
        return self._flush()

    def decoded(self, segment_id: int, outcome: Hypothesis | EngineFailed, *, is_final: bool) -> list[Command]:
        """Take an engine's answer. What comes too late to matter is ignored."""
        self._require(Event.DECODED)
        segment = self._segments.get(segment_id)
        if segment is None:
            return []
        if is_final and self.state is State.TRYING and segment is self._open:
            self._judge(segment, outcome)
            self._hear()
        elif is_final:
            self._finals[segment_id] = outcome
            self._settle()
        elif isinstance(outcome, Hypothesis) and segment is self._open and len(self._segments) == 1:
            transcript = segment.partial(outcome, self._ear.voicing, self._ear.firm)
            if transcript is not None:
                self._commands.append(Deliver(transcript))
        return self._flush()

    def _skip(self, end: int) -> None:
        """Nothing is heard up to ``end``; what is known already stays known."""
        if end > self._audio.end and not self._end_speech(restart=end):
            self._start_afresh(end)

    # --- speech ----------------------------------------------------------------------------------------------------------

    @property
    def _open(self) -> Segment | None:
        segment = next(reversed(self._segments.values()), None)
        return segment if segment is not None and segment.state is SegmentState.OPEN else None

    def _hear(self) -> None:
        """Take the scores one by one, up to where listening starts afresh or a pause must be judged."""
        self.state = State.LISTENING
        while self._unheard and self.state is State.LISTENING:
            match self._ear.hear(self._unheard.popleft()):
                case Onset(at=at):
                    self._begin(at)
                case Pause(speech_end=speech_end):
                    self._try(speech_end)
                case Endpoint(speech_end=speech_end, restart=restart):
                    self._close(speech_end, restart)
                case Idle(restart=restart):
                    self._start_afresh(restart)
                case None:
                    self._reconfigure()
        if self.state is State.LISTENING:
            self._feed(self._ear.position)
            self._ask_partial()

    def _try(self, speech_end: int) -> None:
        """Read what was said up to a pause, as if it were over, and wait for that: so the answer's time does not matter."""
        segment = self._open
        assert segment is not None
        self._feed(self._ear.position)
        self._decode(segment, speech_end, self._ear.position)
        self.state = State.TRYING

    def _judge(self, segment: Segment, outcome: Hypothesis | EngineFailed) -> None:
        endpoint = self._ear.end()
        segment.tried = Tried(endpoint.speech_end, outcome)
        if isinstance(outcome, Hypothesis) and finished(outcome.text, outcome.confidence):
            self._close(endpoint.speech_end, endpoint.restart)

    def _decode(self, segment: Segment, speech_end: int, last: int) -> None:
        """Read the segment as one whose speech ended at ``speech_end``; no audio behind ``last`` is its."""
        audio_end = min(speech_end + samples(self._options.tail), last)
        self._commands.append(DecodeFinal(segment.segment_id, audio_end - segment.audio_start))

    def _reopen(self, segment: Segment) -> None:
        """Speech goes on after a pause: its stream was read to the end, so there must be another."""
        segment.tried = None
        segment.fed = segment.audio_start
        self._commands.append(_stream_of(segment))

    def _begin(self, onset: int) -> None:
        config = self._config
        segment = Segment(
            self.session_id,
            self._next_segment,
            onset=onset,
            audio_start=max(self._audio.start, onset - samples(self._options.pre_roll)),
            config=config,
            first=min(self._options.first_partial, config.partial_interval),
            guarded=self._options.nonspeech_guard,
        )
        self._next_segment += 1
        self._segments[segment.segment_id] = segment
        self._commands += (Deliver(SpeechStarted(self.session_id, segment.segment_id, onset)), _stream_of(segment))

    def _reconfigure(self) -> bool:
        """Let new options count, unless speech has begun or may be beginning. Says whether they do from now on."""
        if self._next_config == self._config or self._open is not None or self._ear.candidate is not None:
            return False
        self._start_afresh(max(self._audio.start, self._ear.position - self._options.look_back))
        return True

    def _feed(self, end: int) -> None:
        segment = self._open
        if segment is None:
            return
        if segment.tried is not None:
            if segment.tried.speech_end == self._ear.voiced_end:
                return
            self._reopen(segment)
        if segment.fed < end:
            self._commands.append(Feed(segment.segment_id, self._audio.slice(segment.fed, end)))
            segment.fed = end

    def _ask_partial(self) -> None:
        segment = self._open
        if segment is None or segment.tried is not None or not segment.config.partials:
            return
        if self._ear.position >= segment.next_partial:
            segment.next_partial = self._ear.position + samples(segment.config.partial_interval)
            self._commands.append(DecodePartial(segment.segment_id))

    def _end_speech(self, *, restart: int) -> bool:
        """Close the open segment, or the one about to open, since nothing more of it will come. Says whether there was one."""
        if self._open is None:
            if self._ear.candidate is None:
                return False
            self._begin(self._ear.candidate)
        mid_speech = self._ear.voiced_end == self._ear.position
        self._close(self._audio.end if mid_speech else self._ear.voiced_end, restart)
        return True

    def _close(self, speech_end: int, restart: int) -> None:
        """End the open segment at ``speech_end``. Listen afresh from ``restart``: no audio behind it is this segment's."""
        segment = self._open
        assert segment is not None
        tried = segment.tried
        if tried is not None and (tried.speech_end != speech_end or isinstance(tried.outcome, EngineFailed)):
            self._reopen(segment)
        last = min(restart, self._audio.end)
        self._feed(last)
        segment.endpoint(speech_end, self._ear.voicing)
        ended = SpeechEnded(self.session_id, segment.segment_id, speech_end, max(speech_end, self._ear.position))
        self._commands.append(Deliver(ended))
        if segment.tried is None:
            self._decode(segment, speech_end, last)
        else:
            self._finals[segment.segment_id] = segment.tried.outcome
        self._start_afresh(restart)
        self._settle()

    def _start_afresh(self, position: int) -> None:
        self._config = self._next_config
        self._audio.drop_before(position)
        self._unheard.clear()  # of audio that is heard again
        self._ear = self._fresh_ear(position)
        self._forget = True
        self._checkpoints[self._next_segment] = Checkpoint(
            config=self._config, position=position, next_segment=self._next_segment, sequence=self._sequence
        )
        self._commit()

    def _fresh_ear(self, position: int) -> Endpointer:
        config = self._config
        finished_silence = min(samples(config.finished_silence), samples(config.endpoint_silence))
        return Endpointer(position, samples(config.endpoint_silence), self._options, finished_silence)

    # --- results ---------------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Deliver the finals that are due, in the order of their segments."""
        while self._segments and (head := next(iter(self._segments))) in self._finals:
            outcome = self._finals.pop(head)
            if isinstance(outcome, EngineFailed):
                self._commands.append(Deliver(SegmentFailed(self.session_id, head, outcome.code, outcome.message)))
            segment = self._segments.pop(head)
            final = segment.final(outcome)
            self._commands += (Deliver(final), Settled(head, len(final.text.split()), segment.withheld))
            self._commit()

    def _commit(self) -> None:
        """Commit the newest checkpoint that no unsettled segment stands before."""
        settled = next(iter(self._segments), self._next_segment)
        checkpoint = self._checkpoints.pop(settled, None)
        if checkpoint is not None:
            self._commands.append(Commit(checkpoint))

    # --- commands --------------------------------------------------------------------------------------------------------

    def _require(self, event: Event) -> None:
        if (self.state, event) not in LEGAL:
            raise IllegalTransition(f"session {self.session_id} is {self.state.name}, which has no {event.name}")

    def _flush(self) -> list[Command]:
        if self.state is State.LISTENING:
            self._listen()
        elif self.state is State.ENDING and not self._segments:
            self.state = State.DONE
            self._commands += (Deliver(SessionDone(self.session_id, self._audio.end, self._next_segment)), Finish())
        commands, self._commands = self._commands, []
        return commands

    def _listen(self) -> None:
        heard = self._ear.position
        count = min((self._audio.end - heard) // FRAME, LISTEN_BLOCK)
        if count > 0:
            frames = self._audio.slice(heard, heard + count * FRAME).reshape(count, FRAME)
            self._commands.append(Listen(frames, self._config.vad, self._forget))
            self._forget = False
            self.state = State.SCORING


def _stream_of(segment: Segment) -> Begin:
    config = segment.config
    options = StreamOptions(
        language=config.language,
        words=config.words,
        partial_words=config.words and config.partial_words,
        quality=config.quality,
        hotwords=config.hotwords,
    )
    return Begin(segment.segment_id, options)
