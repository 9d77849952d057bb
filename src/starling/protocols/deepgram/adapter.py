"""Deepgram's streaming protocol as a state machine: client frames become verbs, session events become server frames."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from hashlib import sha256
from typing import Final

from starling.core.audio import SAMPLE_RATE, AudioFormat
from starling.core.errors import (
    CorruptAudio,
    IdleTimeout,
    InvalidMessage,
    StarlingError,
    UnsupportedAudio,
)
from starling.core.transcript import (
    SegmentFailed,
    SessionDone,
    SessionEvent,
    SessionFailed,
    SpeechEnded,
    SpeechStarted,
    Transcript,
)
from starling.protocols import verbs
from starling.protocols.deepgram import messages as wire
from starling.protocols.deepgram.flushing import Flush
from starling.protocols.deepgram.options import ListenOptions, listen_options
from starling.protocols.deepgram.presenter import Presenter
from starling.protocols.deepgram.utterances import UtteranceWatch
from starling.protocols.endings import ended_by_silence
from starling.protocols.foreign import CONTAINERS, MAGIC, ForeignAdapter, Head, expected
from starling.protocols.verbs import Frame, Offer, Opened, OpenRequest, Say, Verb

CLOSINGS: Final[dict[type[StarlingError], tuple[int, str]]] = {
    IdleTimeout: (1011, "NET-0001: neither audio nor a text message came in time"),
    CorruptAudio: (1008, "DATA-0000: the audio cannot be decoded"),
    UnsupportedAudio: (1008, "DATA-0000: the audio cannot be decoded"),
}


FORMATS: Final = frozenset({"punctuate", "smart_format"})


class State(StrEnum):
    """How far a client has come."""

    AWAITING = "awaiting"
    STREAMING = "streaming"
    CLOSING = "closing"


class DeepgramAdapter(ForeignAdapter):
    """``verbs.Adapter`` for one stream. Raises InvalidOption and UnsupportedAudio for a query that asks for what cannot be."""

    forgives = True

    def __init__(self, offer: Offer, head: Head) -> None:
        self._options: ListenOptions = listen_options(head.query, offer)
        self._offer = offer
        self._config = self._options.config
        self._audio = self._options.audio
        self._state = State.AWAITING
        self._presenter = Presenter(offer.capabilities, formatted=self._options.formatted)
        self._watch = UtteranceWatch(self._options.utterance_end)
        self._flush = Flush()
        self._ended: dict[int, SpeechEnded] = {}  # of segments whose finals are still to come
        self._mark = b""  # the beginning of a container, until it is long enough to tell which
        self._digest = sha256()
        self._bytes = 0

    @property
    def state(self) -> State:
        return self._state

    # --- what the client says ------------------------------------------------------------------------------------------

    def receive(self, frame: Frame) -> Sequence[Verb]:
        message = wire.decode_client(frame) if isinstance(frame, str) else frame
        if self._state is State.CLOSING:
            return ()  # a thread that still sends need not know that another one has ended the stream
        if message == b"" or isinstance(message, wire.CloseStream):
            opening = self._opening(self._audio or AudioFormat())
            self._state = State.CLOSING
            return [*opening, verbs.End()]
        if isinstance(message, bytes):
            return self._sound(message)
        if self._audio is None:
            return ()  # nobody can tell yet what to open
        return [*self._opening(self._audio), *self._control(message)]

    def _opening(self, audio: AudioFormat) -> Sequence[Verb]:
        if self._state is not State.AWAITING:
            return ()
        self._audio, self._state = audio, State.STREAMING
        return [verbs.Open(OpenRequest(audio=audio, config=self._config))]

    def _sound(self, data: bytes) -> Sequence[Verb]:
        if self._audio is None:
            data = self._mark + data
            if len(data) < MAGIC:
                self._mark = data
                return ()
            audio = _container(data)
        else:
            audio = self._audio
        opening = self._opening(audio)
        self._mark = b""
        self._digest.update(data)
        self._bytes += len(data)
        received = self._received
        told = None if received is None else self._watch.received(received)
        answer = [] if told is None else [Say([self._presenter.utterance_end(told)])]
        return [*opening, verbs.Feed(data), *answer]

    def _control(self, message: wire.ClientMessage) -> Sequence[Verb]:
        match message:
            case wire.Finalize():
                if message.channel not in {None, 0}:
                    raise InvalidMessage("channel must be 0: all channels are mixed to one")
                self._flush.asked(self._received)
                return [verbs.Finalize()]
            case wire.Configure():
                return self._configure(message)
            case _:
                return [verbs.KeepAlive()]

    def _configure(self, message: wire.Configure) -> Sequence[Verb]:
        if message.keyterms is not None and not self._offer.capabilities.hotwords:
            return [Say([self._presenter.not_configured("CONFIGURE_KEYTERMS_NOT_SUPPORTED", "this model takes no keyterms")])]
        formats = [on for name, on in (message.features or {}).items() if name in FORMATS]
        if formats:
            self._presenter.formatted = any(formats)
        answer = Say([self._presenter.configured(message.keyterms)])
        if message.keyterms is None:
            return [verbs.KeepAlive(), answer]
        self._config = self._config.updated(hotwords=expected(message.keyterms))
        return [verbs.Configure(self._config), answer]

    @property
    def _received(self) -> int | None:
        """The samples in the bytes that came; None where only a decoder could tell."""
        audio = self._audio
        if audio is None or audio.moment is None:
            return None
        return self._bytes // audio.moment * SAMPLE_RATE // audio.sample_rate

    # --- what recognition says -----------------------------------------------------------------------------------------

    def opened(self, session: Opened) -> Sequence[Frame]:
        self._presenter.opened(session)
        return ()

    def event(self, event: SessionEvent) -> Sequence[Frame]:
        match event:
            case SpeechStarted():
                started = [self._presenter.speech_started(event.at)] if self._options.vad_events else []
                return [*self._utterance_end(self._watch.began(event.at)), *started]
            case SpeechEnded():
                self._ended[event.segment_id] = event
                return ()
            case Transcript():
                return self._final(event) if event.is_final else self._interim(event)
            case SegmentFailed():
                return ()  # its empty final follows
            case SessionFailed():
                return [self._presenter.error(event.code, event.message)]
            case SessionDone():
                ending = self._presenter.metadata(event.position, self._digest.hexdigest())
                return [*self._utterance_end(self._watch.over(event.position)), ending]

    def _interim(self, transcript: Transcript) -> Sequence[Frame]:
        last = _last_word_end(transcript)
        told = None if last is None else self._watch.said(last, heard=transcript.end)
        return [self._presenter.results(transcript), *self._utterance_end(told)]

    def _final(self, transcript: Transcript) -> Sequence[Frame]:
        ended = self._ended.pop(transcript.segment_id, None)
        by_silence = ended_by_silence(ended, self._config)
        flushed = self._flush.answered(transcript, ended, by_silence=by_silence)
        results = self._presenter.results(
            transcript, speech_final=flushed or (by_silence and self._options.endpointing), from_finalize=flushed
        )
        noticed = transcript.end if ended is None else ended.noticed
        return [results, *self._utterance_end(self._watch.settled(_last_word_end(transcript), noticed, self._received))]

    def _utterance_end(self, last_word_end: int | None) -> Sequence[Frame]:
        return [] if last_word_end is None else [self._presenter.utterance_end(last_word_end)]

    # --- what goes wrong -----------------------------------------------------------------------------------------------

    def error(self, error: StarlingError) -> Sequence[Frame]:
        """Of a client that is silent for too long only the close frame speaks."""
        if isinstance(error, IdleTimeout):
            return ()
        return [self._presenter.error("SchemaError" if isinstance(error, InvalidMessage) else error.code, error.message)]

    def closing(self, verdict: type[StarlingError] | None) -> tuple[int, str]:
        found = None if verdict is None else CLOSINGS.get(verdict)
        return super().closing(verdict) if found is None else found


def _last_word_end(transcript: Transcript) -> int | None:
    """Where the last word ends, as far as that is known; None if there is none."""
    if not transcript.text:
        return None
    return transcript.words[-1].end if transcript.words else transcript.end


def _container(data: bytes) -> AudioFormat:
    encoding = CONTAINERS.get(data[:MAGIC])
    if encoding is None:
        raise UnsupportedAudio(
            "expected audio that begins like WAV, FLAC, Ogg or WebM, got another beginning: "
            "for audio without a header say encoding and sample_rate in the query"
        )
    return AudioFormat(encoding)
