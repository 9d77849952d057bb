"""Riva's calls as state machines: one session each, of a stream of messages or of a recording in one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from starling.core.errors import InvalidMessage, StarlingError
from starling.core.transcript import SessionDone, SessionEvent, SessionFailed, Transcript
from starling.protocols import verbs
from starling.protocols.calls import HALF_CLOSED, code_of
from starling.protocols.errors import kind_of
from starling.protocols.foreign import MAGIC, ForeignAdapter, Head
from starling.protocols.riva.options import Wish, wish
from starling.protocols.riva.presenter import Presenter
from starling.protocols.verbs import Frame, Offer, OpenRequest, Verb
from starling.protocols.wire import riva_asr_pb2 as wire

RECOGNIZE = "Recognize"
STREAMING_RECOGNIZE = "StreamingRecognize"

M = TypeVar("M", bound=Message)


class CallAdapter(ForeignAdapter):
    """What both have in common: how a call ends."""

    def __init__(self, offer: Offer, head: Head) -> None:
        self._offer = offer
        self._trace_id = head.trace_id
        self._failure = ""

    def error(self, error: StarlingError) -> Sequence[Frame]:
        """The status says it."""
        self._failure = error.message
        return ()

    def _failed(self, event: SessionFailed) -> Sequence[Frame]:
        return self.error(kind_of(event.code)(event.message))

    def closing(self, verdict: type[StarlingError] | None) -> tuple[int, str]:
        return (0, "") if verdict is None else (code_of(verdict), self._failure or verdict.code)


class StreamingAdapter(CallAdapter):
    """``verbs.Adapter`` for StreamingRecognize."""

    def __init__(self, offer: Offer, head: Head) -> None:
        super().__init__(offer, head)
        self._wish: Wish | None = None
        self._presenter: Presenter | None = None
        self._beginning = b""  # of audio, until it is known what it is
        self._open = False
        self._told: set[int] = set()  # segments whose text was told and is not final

    def receive(self, frame: Frame) -> Sequence[Verb]:
        if isinstance(frame, str):
            assert frame == HALF_CLOSED
            return self._end()
        request = parsed(wire.StreamingRecognizeRequest, frame)
        match request.WhichOneof("streaming_request"), self._wish:
            case "streaming_config", None:
                asked = request.streaming_config
                self._wish = wish(asked.config, self._offer, interim=asked.interim_results)
                self._presenter = Presenter(self._wish, request.id.value or self._trace_id)
                return ()
            case "streaming_config", _:
                raise InvalidMessage("expected audio_content after streaming_config, got another streaming_config")
            case _, None:
                raise InvalidMessage("expected streaming_config in the first message, got none")
            case _, Wish() as wanted:
                return self._hear(request.audio_content, wanted)
        return ()

    def _hear(self, audio: bytes, wanted: Wish) -> Sequence[Verb]:
        if self._open:
            return [verbs.Feed(audio)] if audio else ()
        beginning = self._beginning + audio
        if len(beginning) < MAGIC and wanted.sniffs:
            self._beginning = beginning
            return ()
        return self._opening(beginning, wanted) if beginning else ()

    def _opening(self, beginning: bytes, wanted: Wish) -> Sequence[Verb]:
        request = OpenRequest(audio=wanted.audio(beginning), config=wanted.config)
        self._open, self._beginning = True, b""
        return [verbs.Open(request), verbs.Feed(beginning)]

    def _end(self) -> Sequence[Verb]:
        if self._wish is None:
            raise InvalidMessage("expected streaming_config and then audio_content, got nothing")
        if self._open:
            return [verbs.End()]
        if not self._beginning:
            return [verbs.Leave()]
        return [*self._opening(self._beginning, self._wish), verbs.End()]

    def event(self, event: SessionEvent) -> Sequence[Frame]:
        assert self._presenter is not None
        match event:
            case Transcript(is_final=False, text=text) if text:
                self._told.add(event.segment_id)
                return [self._presenter.interim(event)]
            case Transcript(is_final=True):
                told = event.segment_id in self._told
                self._told.discard(event.segment_id)
                return [self._presenter.final(event)] if told or event.text else ()
            case SessionFailed():
                return self._failed(event)
            case _:
                return ()


class RecordingAdapter(CallAdapter):
    """``verbs.Adapter`` for Recognize."""

    def __init__(self, offer: Offer, head: Head) -> None:
        super().__init__(offer, head)
        self._presenter: Presenter | None = None
        self._finals: list[Transcript] = []

    def receive(self, frame: Frame) -> Sequence[Verb]:
        if self._presenter is not None:
            return self._no_more(frame)
        if isinstance(frame, str):
            raise InvalidMessage("expected a RecognizeRequest, got nothing")
        request = parsed(wire.RecognizeRequest, frame)
        wanted = wish(request.config, self._offer, interim=False)
        audio = wanted.audio(request.audio)
        self._presenter = Presenter(wanted, request.id.value or self._trace_id)
        return [verbs.Open(OpenRequest(audio=audio, config=wanted.config)), verbs.Feed(request.audio), verbs.End()]

    def _no_more(self, frame: Frame) -> Sequence[Verb]:
        if frame != HALF_CLOSED:
            raise InvalidMessage("expected one RecognizeRequest, got another message after it")
        return ()

    def event(self, event: SessionEvent) -> Sequence[Frame]:
        assert self._presenter is not None
        match event:
            case Transcript(is_final=True, text=text) if text:
                self._finals.append(event)
            case SessionDone():
                return [self._presenter.recognized(self._finals)]
            case SessionFailed():
                return self._failed(event)
        return ()


def adapter(offer: Offer, head: Head) -> StreamingAdapter | RecordingAdapter:
    """Of the call at the path of ``head``."""
    return RecordingAdapter(offer, head) if head.path.endswith(f"/{RECOGNIZE}") else StreamingAdapter(offer, head)


def configurations(offer: Offer, request: bytes) -> bytes:
    """The answer to GetRivaSpeechRecognitionConfig: the model as what it is good for, ``online`` and ``offline``."""
    asked, able = parsed(wire.RivaSpeechRecognitionConfigRequest, request), offer.capabilities
    if asked.model_name not in {"", able.model}:
        raise InvalidMessage(f"model_name must be empty or {able.model}, got another")
    return wire.RivaSpeechRecognitionConfigResponse(
        model_config=[
            wire.RivaSpeechRecognitionConfigResponse.Config(
                model_name=able.model,
                parameters={
                    "type": kind,
                    "streaming": str(kind == "online"),
                    "language_code": ",".join(able.languages),
                    "sample_rate": "16000",
                    "version": able.model_version,
                },
            )
            for kind in ("online", "offline")
        ]
    ).SerializeToString()


def parsed(kind: type[M], frame: bytes) -> M:
    """The message that is ``frame``. Raises InvalidMessage."""
    try:
        return kind.FromString(frame)
    except DecodeError:
        raise InvalidMessage(f"expected a {kind.__name__} as in riva_asr.proto, got bytes that are none") from None
