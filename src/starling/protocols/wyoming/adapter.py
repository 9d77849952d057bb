"""Wyoming's speech recognition as a state machine: utterance after utterance, each from its first audio to ``audio-stop``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from starling.core.config import SessionConfig
from starling.core.errors import InvalidOption, StarlingError, UnsupportedAudio
from starling.core.ports import Capabilities
from starling.core.transcript import SegmentFailed, SessionDone, SessionEvent, SessionFailed, Transcript
from starling.protocols import verbs
from starling.protocols.foreign import ForeignAdapter, Head, expected
from starling.protocols.verbs import Frame, Offer, OpenRequest, Verb
from starling.protocols.wyoming.events import Event, parse, written
from starling.protocols.wyoming.pcm import Pcm
from starling.protocols.wyoming.utterance import Utterance
from starling.version import __version__

MAKER: Final = {"name": "Starling", "url": ""}


class WyomingAdapter(ForeignAdapter):
    """``verbs.Adapter`` for Wyoming's clients. Events that it does not know are left aside, as the protocol wants it."""

    def __init__(self, offer: Offer, _: Head) -> None:
        self._offer = offer
        self._config = self._wanted({})  # of the next utterance
        self._announced: Pcm | None = None  # by audio-start
        self._audio: Pcm | None = None  # of the present utterance
        self._utterance: Utterance | None = None

    @property
    def lasts(self) -> bool:
        return True

    def receive(self, frame: Frame) -> Sequence[Verb]:
        event = parse(frame.encode() if isinstance(frame, str) else frame)
        match event.type:
            case "audio-chunk":
                return self._hear(event)
            case "audio-start":
                self._announced = Pcm.of(event.data)
            case "audio-stop":
                return self._stop()
            case "transcribe":
                self._config = self._wanted(event.data)
            case "describe":
                return [verbs.Say([written(_info(self._offer.capabilities))])]
            case "ping":
                return [verbs.Say([written(Event("pong", {"text": event.data.get("text")}))])]
            case _:
                pass
        return ()

    def _hear(self, event: Event) -> Sequence[Verb]:
        pcm = Pcm.of(event.data, self._announced)
        if not event.payload:
            return ()
        feed = verbs.Feed(pcm.narrowed(event.payload))
        if self._utterance is None:
            self._utterance, self._audio = Utterance(self._config.language), pcm
            return [verbs.Open(OpenRequest(audio=pcm.fed, config=self._config)), feed]
        if pcm != self._audio:
            raise UnsupportedAudio("rate, width and channels must stay the same up to audio-stop, got others")
        return [feed]

    def _stop(self) -> Sequence[Verb]:
        if self._utterance is None:
            return [verbs.Say(self._finished(Utterance(self._config.language)))]
        return [verbs.End()]

    def _wanted(self, data: Mapping[str, Any]) -> SessionConfig:
        """The options of a ``transcribe``. Raises InvalidOption."""
        language = data.get("language") or self._offer.defaults.language
        if not isinstance(language, str):
            raise InvalidOption("language must be a string such as en, got something else")
        phrases = [*_phrases(data, "transcript_names"), *_phrases(data, "transcript_terms")]
        changes: dict[str, Any] = {"hotwords": expected(phrases)} if phrases else {}
        return self._offer.capabilities.serve(self._offer.defaults.updated(language=language, partials=True, **changes))

    def event(self, event: SessionEvent) -> Sequence[Frame]:
        utterance = self._utterance
        if utterance is None:
            return ()
        match event:
            case Transcript():
                said = utterance.final(event.text) if event.is_final else utterance.partial(event.stable_text)
                return [written(one) for one in said]
            case SegmentFailed() | SessionFailed():
                return [_error(event.code, event.message)]
            case SessionDone():
                return self._finished(utterance)
            case _:
                return ()

    def _finished(self, utterance: Utterance) -> Sequence[Frame]:
        """The end of ``utterance``: the next one begins as if it were the first."""
        self._utterance = self._audio = self._announced = None
        self._config = self._wanted({})
        return [written(one) for one in utterance.over()]

    def error(self, error: StarlingError) -> Sequence[Frame]:
        return [_error(error.code, error.message)]


def _phrases(data: Mapping[str, Any], name: str) -> list[str]:
    phrases = data.get(name) or []
    if not isinstance(phrases, list) or not all(isinstance(phrase, str) for phrase in phrases):
        raise InvalidOption(f"{name} must be a list of strings, got something else")
    return phrases


def _error(code: str, message: str) -> bytes:
    return written(Event("error", {"text": message, "code": code}))


def _info(able: Capabilities) -> Event:
    model = {
        "name": able.model,
        "attribution": MAKER,
        "installed": True,
        "description": able.model,
        "version": able.model_version,
        "languages": list(able.languages),
    }
    program = {
        "name": "starling",
        "attribution": MAKER,
        "installed": True,
        "description": "Live speech recognition",
        "version": __version__,
        "models": [model],
        "supports_transcript_streaming": True,
        "requires_external_vad": True,
    }
    return Event("info", {"asr": [program]})
