"""WhisperLive's protocol as a state machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import numpy as np

from starling.core.audio import AudioFormat, Encoding
from starling.core.errors import CorruptAudio, InvalidMessage, Overloaded, SessionTooLong, ShuttingDown, StarlingError
from starling.core.transcript import SessionDone, SessionEvent, SessionFailed, Transcript
from starling.protocols import verbs
from starling.protocols.foreign import ForeignAdapter, Head, json_frame, json_object
from starling.protocols.verbs import Frame, Offer, Opened, OpenRequest, Verb
from starling.protocols.whisperlive.options import Options, Sample, read_options, uid_of
from starling.protocols.whisperlive.segments import Segments

END_OF_AUDIO: Final = b"END_OF_AUDIO"
BACKEND: Final = "faster_whisper"
"""With another one clients do not keep what is complete."""


class State(StrEnum):
    """How far the client has come."""

    AWAITING = "awaiting options"
    STREAMING = "streaming"
    ENDING = "ending"


class WhisperLiveAdapter(ForeignAdapter):
    """``verbs.Adapter`` for WhisperLive's clients."""

    def __init__(self, offer: Offer, _: Head) -> None:
        self._offer = offer
        self._state = State.AWAITING
        self._uid = ""
        self._options: Options | None = None
        self._segments = Segments(1)
        self._language = offer.defaults.language

    def receive(self, frame: Frame) -> Sequence[Verb]:
        match self._state:
            case State.AWAITING:
                return [self._open(frame)]
            case State.STREAMING:
                if frame == END_OF_AUDIO:
                    self._state = State.ENDING
                    return [verbs.End()]
                if isinstance(frame, bytes):
                    return [verbs.Feed(self._samples(frame))]
                raise InvalidMessage("expected audio, got a text after the first message")
            case State.ENDING:
                return ()

    def _open(self, frame: Frame) -> Verb:
        if isinstance(frame, bytes):
            raise InvalidMessage("expected a text with options as the first message, got audio")
        message = json_object(frame)
        self._uid = uid_of(message)
        options = read_options(message)
        config = self._offer.capabilities.serve(options.applied(self._offer.defaults))
        encoding = Encoding.PCM_F32LE if options.sample is Sample.FLOAT32 else Encoding.PCM_S16LE
        self._options, self._language = options, config.language
        self._segments = Segments(options.last_segments)
        self._state = State.STREAMING
        return verbs.Open(OpenRequest(audio=AudioFormat(encoding), config=config, client_ref=options.uid or None))

    def _samples(self, data: bytes) -> bytes:
        if self._options is None or self._options.sample is not Sample.UINT8:
            return data
        return ((np.frombuffer(data, np.uint8).astype("<i2") - 128) << 8).tobytes()

    def opened(self, session: Opened) -> Sequence[Frame]:
        del session
        ready = [self._say(message="SERVER_READY", backend=BACKEND)]
        if self._options is not None and self._options.language is None:
            ready.append(self._say(language=self._language, language_prob=1.0))
        return ready

    def event(self, event: SessionEvent) -> Sequence[Frame]:
        match event:
            case Transcript():
                words = self._options is not None and self._options.words
                return [self._say(segments=list(segments)) for segments in self._segments.heard(event, words=words)]
            case SessionFailed():
                self._state = State.ENDING
                return [self._say(status="ERROR", message=event.message)]
            case SessionDone():
                self._state = State.ENDING
                return ()
            case _:
                return ()

    def error(self, error: StarlingError) -> Sequence[Frame]:
        match error:
            case CorruptAudio() if self._state is State.ENDING:
                return []  # half a sample at the very end, which nobody misses
            case Overloaded():
                return [self._say(status="WAIT", message=error.retry_after / 60)]
            case ShuttingDown() | SessionTooLong():
                return [self._say(message="DISCONNECT")]
            case _:
                return [self._say(status="ERROR", message=error.message)]

    def _say(self, **message: Any) -> Frame:
        said: Mapping[str, Any] = {"uid": self._uid} | message
        return json_frame(said)
