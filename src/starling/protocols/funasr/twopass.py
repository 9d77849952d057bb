"""FunASR's 2pass protocol as a state machine. A connection carries utterance after utterance, each of which is a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from starling.core.audio import AudioFormat
from starling.core.config import SessionConfig
from starling.core.errors import CorruptAudio, StarlingError, UnsupportedAudio
from starling.core.transcript import SegmentFailed, SessionDone, SessionEvent, SessionFailed, Transcript
from starling.protocols import verbs
from starling.protocols.foreign import CONTAINERS, MAGIC, ForeignAdapter, json_frame, json_object
from starling.protocols.funasr.results import ms, times
from starling.protocols.funasr.sentence import Sentence
from starling.protocols.funasr.wishes import ONLY_PCM, Mode, Wishes
from starling.protocols.verbs import Frame, Offer, OpenRequest, Verb

START, MIDDLE, END = 0, 1, 2
"""Values of ``slice_type``."""


class State(StrEnum):
    """Where the connection is in an utterance."""

    IDLE = "idle"
    STREAMING = "streaming"
    ENDING = "ending"


class TwoPassAdapter(ForeignAdapter):
    """``verbs.Adapter`` for clients of the 2pass and the offline server."""

    @property
    def lasts(self) -> bool:
        return True

    def __init__(self, offer: Offer) -> None:
        self._offer = offer
        self._state = State.IDLE
        self._wishes = Wishes()
        self._head = b""  # of a file whose kind is not known yet
        self._acknowledge = False  # the client waits for that
        self._sentence = Sentence()
        self._finals: list[Transcript] = []  # not told yet: all in mode offline, else the last one after the end

    def receive(self, frame: Frame) -> Sequence[Verb]:
        if isinstance(frame, bytes):
            return self._hear(frame)
        message = json_object(frame)
        found = self._configure(message)
        ends = message.get("is_speaking") is False or message.get("is_finished") is True or message.get("is_end") is True
        return [*found, *self._end(acknowledge=message.get("is_end") is True)] if ends else found

    def _configure(self, message: Mapping[str, Any]) -> Sequence[Verb]:
        before, self._wishes = self._wishes, self._wishes.told(message)
        changed = before.hotwords != self._wishes.hotwords
        return [verbs.Configure(self._config())] if changed and self._state is State.STREAMING else []

    def _config(self) -> SessionConfig:
        wishes = self._wishes
        config = self._offer.defaults.updated(
            words=True, partials=wishes.mode is not Mode.OFFLINE, hotwords=wishes.hotwords or self._offer.defaults.hotwords
        )
        return self._offer.capabilities.serve(config)

    # --- audio ---

    def _hear(self, data: bytes) -> Sequence[Verb]:
        if self._state is State.ENDING or not data:
            return []
        if self._state is State.STREAMING:
            return [verbs.Feed(data)]
        audio = AudioFormat(sample_rate=self._wishes.rate)
        if self._wishes.whole:
            self._head += data
            if len(self._head) < MAGIC:
                return []
            data, self._head = self._head, b""
            encoding = CONTAINERS.get(data[:MAGIC])
            if encoding is None:
                raise UnsupportedAudio("expected a file in WAV, Ogg/Opus or WebM/Opus, got another: send pcm")
            audio = AudioFormat(encoding)
        self._state = State.STREAMING
        return [verbs.Open(OpenRequest(audio=audio, config=self._config())), verbs.Feed(data)]

    def _end(self, *, acknowledge: bool) -> Sequence[Verb]:
        self._head = b""
        match self._state:
            case State.IDLE:
                return [verbs.Say([self._acknowledgement()])] if acknowledge else []
            case State.STREAMING:
                self._state, self._acknowledge = State.ENDING, acknowledge
                return [verbs.End()]
            case State.ENDING:
                return []

    # --- results ---

    def event(self, event: SessionEvent) -> Sequence[Frame]:
        match event:
            case Transcript():
                return self._final(event) if event.is_final else self._partial(event)
            case SegmentFailed():
                return []
            case SessionFailed():
                return [self._fault(event.message)]
            case SessionDone():
                return self._done()
            case _:
                return []

    def _partial(self, partial: Transcript) -> Sequence[Frame]:
        if self._wishes.mode is Mode.OFFLINE:
            return []
        begins = not self._sentence.words
        piece = self._sentence.piece(partial)
        return [self._online(piece, START if begins else MIDDLE)] if piece else []

    def _final(self, final: Transcript) -> Sequence[Frame]:
        match self._wishes.mode:
            case Mode.ONLINE:
                begins = not self._sentence.words
                piece = self._sentence.piece(final)
                said = [self._online(piece, START if begins else END)] if piece else []
                self._sentence.over(something=bool(final.text))
                return said
            case Mode.OFFLINE:
                self._finals += [final] if final.text else []
                return []
            case Mode.TWO_PASS:
                return self._second_pass(final)

    def _second_pass(self, final: Transcript) -> Sequence[Frame]:
        """The final, or after the end of the audio the one before it: the last has to say that it is."""
        if self._state is not State.ENDING:
            return [self._offline([final], last=False)] if final.text or self._sentence.words else []
        told = [self._offline(self._finals, last=False)] if self._finals else []
        self._finals = [final]
        return told

    def _done(self) -> Sequence[Frame]:
        finals, self._finals = self._finals, []
        online = self._wishes.mode is Mode.ONLINE
        said = [self._online("", END, last=True) if online else self._offline(finals, last=True)]
        if self._acknowledge:
            said.append(self._acknowledgement())
        self._state, self._acknowledge = State.IDLE, False
        self._sentence.restart()
        return said

    # --- frames ---

    def _online(self, text: str, slice_type: int, *, last: bool = False) -> Frame:
        mode = "online" if self._wishes.mode is Mode.ONLINE else "2pass-online"
        return self._say(mode=mode, text=text, is_final=last, slice_type=slice_type, index=self._sentence.index)

    def _offline(self, finals: Sequence[Transcript], *, last: bool) -> Frame:
        text = " ".join(final.text for final in finals if final.text)
        fields: dict[str, Any] = dict(times(finals))
        if text:
            fields |= {"start_time": ms(finals[0].start), "end_time": ms(finals[-1].end)}
        if self._wishes.mode is not Mode.OFFLINE:
            fields |= {"slice_type": END, "index": self._sentence.index}
        mode = "offline" if self._wishes.mode is Mode.OFFLINE else "2pass-offline"
        said = self._say(mode=mode, text=self._sentence.whole(text), is_final=last, **fields)
        self._sentence.over(something=bool(text))
        return said

    def _acknowledgement(self) -> Frame:
        return self._say(mode=self._wishes.mode, is_final=True, is_end=True)

    def _fault(self, message: str) -> Frame:
        text = message if message == ONLY_PCM else ""
        return self._say(mode=self._wishes.mode, text=text, is_final=text == ONLY_PCM, is_end=True, error=message)

    def _say(self, **fields: Any) -> Frame:
        return json_frame({"wav_name": self._wishes.name} | fields)

    def error(self, error: StarlingError) -> Sequence[Frame]:
        if self._state is State.ENDING and isinstance(error, CorruptAudio):
            return []  # half a sample at the very end, which nobody misses: clients would take it for a failure
        return [self._fault(error.message)]
