"""Vosk's protocol as a state machine. Its clients send a block of audio, then read one message: none may be kept waiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from starling.core.audio import AudioFormat
from starling.core.errors import InvalidMessage, InvalidOption, StarlingError
from starling.core.transcript import SessionDone, SessionEvent, SessionFailed, Transcript
from starling.protocols import verbs
from starling.protocols.foreign import ForeignAdapter, Head, expected, json_frame, json_object, sample_rate
from starling.protocols.verbs import Frame, Offer, OpenRequest, Verb
from starling.protocols.vosk.results import Style, partial, result

DEFAULT_RATE = 8_000


class State(StrEnum):
    """How far the connection has come. ``RESETTING``: a session ends and another may follow."""

    IDLE = "idle"
    STREAMING = "streaming"
    RESETTING = "resetting"
    ENDING = "ending"


class VoskAdapter(ForeignAdapter):
    """``verbs.Adapter`` for vosk-server's clients.

    Results come when they come, and a client reads one for each frame it sends: those that are final wait here in order, and the
    last message has all that still waits.
    """

    def __init__(self, offer: Offer, _: Head) -> None:
        self._offer = offer
        self._state = State.IDLE
        self._audio = AudioFormat(sample_rate=DEFAULT_RATE)
        self._style = Style()
        self._config = offer.defaults.updated(words=True, partials=True)
        self._finals: deque[Transcript] = deque()
        self._partial = ""
        self._offset = 0  # samples of the sessions before this one

    @property
    def lasts(self) -> bool:
        return self._state in {State.RESETTING, State.IDLE}

    def receive(self, frame: Frame) -> Sequence[Verb]:
        if self._state is State.ENDING:
            return ()
        if isinstance(frame, bytes):
            return self._hear(frame)
        message = json_object(frame)
        if "config" in message:
            self._configure(message["config"])
            return ()
        if "eof" in message:
            return self._end(State.ENDING)
        if "reset" in message:
            return self._end(State.RESETTING)
        raise InvalidMessage("expected config, eof, reset or audio, got a message with none of these")

    def _hear(self, data: bytes) -> Sequence[Verb]:
        opening: list[Verb] = []
        if self._state is State.IDLE:
            request = OpenRequest(audio=self._audio, config=self._offer.capabilities.serve(self._config))
            opening.append(verbs.Open(request))
            self._state = State.STREAMING
        return [*opening, verbs.Feed(data), verbs.Say([self._answer()])]

    def _answer(self) -> Frame:
        if self._finals:
            return json_frame(result([self._finals.popleft()], self._style, self._offset))
        return json_frame(partial(self._partial))

    def _end(self, state: State) -> Sequence[Verb]:
        if self._state is State.IDLE:
            leave = [verbs.Leave()] if state is State.ENDING else []
            return [verbs.Say([self._rest()]), *leave]
        self._state = state
        return [verbs.End()]

    def _rest(self) -> Frame:
        rest = json_frame(result(self._finals, self._style, self._offset))
        self._finals.clear()
        self._partial = ""
        return rest

    def _configure(self, config: object) -> None:
        if not isinstance(config, Mapping):
            raise InvalidMessage("expected an object as config, got something else")
        given: Mapping[str, Any] = config
        rate = sample_rate(given["sample_rate"]) if "sample_rate" in given else self._audio.sample_rate
        alternatives = given.get("max_alternatives", int(self._style.alternatives))
        if not isinstance(alternatives, int):
            raise InvalidOption("max_alternatives must be a whole number, got something else")
        phrases = given.get("phrase_list")
        if phrases is not None and not (isinstance(phrases, list) and all(isinstance(phrase, str) for phrase in phrases)):
            raise InvalidOption("phrase_list must be a list of strings, got something else")
        if phrases is not None:
            self._config = self._config.updated(hotwords=expected(phrase for phrase in phrases if phrase != "[unk]"))
        self._audio = AudioFormat(sample_rate=rate)
        self._style = Style(words=bool(given.get("words", self._style.words)), alternatives=alternatives > 0)

    def event(self, event: SessionEvent) -> Sequence[Frame]:
        match event:
            case Transcript(is_final=True):
                self._partial = ""
                if event.text:
                    self._finals.append(event)
            case Transcript():
                self._partial = event.text
            case SessionDone():
                rest = self._rest()
                self._offset += event.position
                self._state = State.IDLE if self._state is State.RESETTING else State.ENDING
                return [rest]
            case SessionFailed():
                self._state = State.ENDING
            case _:
                pass
        return ()

    def error(self, error: StarlingError) -> Sequence[Frame]:
        del error  # the close frame says it
        return ()
