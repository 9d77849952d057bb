"""FunASR's realtime protocol: commands in plain text, and after each result all sentences anew."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec

from starling.core.audio import AudioFormat
from starling.core.config import SessionConfig
from starling.core.errors import InvalidOption, StarlingError
from starling.core.transcript import SessionDone, SessionEvent, SessionFailed, Transcript
from starling.protocols import verbs
from starling.protocols.foreign import ForeignAdapter, expected, json_frame
from starling.protocols.funasr.results import ms
from starling.protocols.verbs import Frame, Offer, OpenRequest, Verb

COMMANDS: Final = ("START", "STOP", "COMMIT")
SETTINGS: Final = ("HOTWORDS", "POSTPROCESS_HOTWORDS", "LANGUAGE")

LANGUAGES: Final = {"english": "en", "英文": "en", "英语": "en", "chinese": "zh", "中文": "zh"}
"""Tags of languages by the names that the other server's model goes by."""

BYTES_PER_MS: Final = 32
MOST_REPLACEMENTS: Final = 1000


class State(StrEnum):
    """``READY``: started, and no audio came yet. ``RESTARTING``: what was said is forgotten, and it begins anew."""

    STOPPED = "stopped"
    READY = "ready"
    STREAMING = "streaming"
    STOPPING = "stopping"
    RESTARTING = "restarting"


def is_command(text: str) -> bool:
    """Whether ``text`` is of this protocol."""
    name, colon, _ = text.strip().upper().partition(":")
    return name in (SETTINGS if colon else COMMANDS)


class RealtimeAdapter(ForeignAdapter):
    """``verbs.Adapter`` for clients of the realtime server."""

    @property
    def lasts(self) -> bool:
        return True

    @property
    def forgives(self) -> bool:
        return True

    def __init__(self, offer: Offer) -> None:
        self._offer = offer
        self._state = State.STOPPED
        self._config = offer.capabilities.serve(offer.defaults.updated(partials=True))
        self._replacements: dict[str, str] = {}
        self._received = 0  # bytes since the start
        self._sentences: list[msgspec.Raw] = []  # as they are sent, time after time
        self._partial: Transcript | None = None

    def receive(self, frame: Frame) -> Sequence[Verb]:
        if isinstance(frame, bytes):
            return self._hear(frame)
        name, colon, value = frame.strip().partition(":")
        name = name.upper()
        return self._set(name, value) if colon and name in SETTINGS else self._command(name if not colon else "")

    def _command(self, name: str) -> Sequence[Verb]:
        match name:
            case "START":
                return self._start()
            case "STOP":
                return self._stop()
            case "COMMIT":
                return [self._complain("COMMIT needs an endpoint mode of the client's, and here the server ends utterances")]
            case _:
                return [self._complain("expected START, STOP, HOTWORDS:, POSTPROCESS_HOTWORDS: or LANGUAGE:, got something else")]

    def _set(self, name: str, value: str) -> Sequence[Verb]:
        match name:
            case "HOTWORDS":
                return self._hotwords([word.strip() for word in value.split(",") if word.strip()])
            case "POSTPROCESS_HOTWORDS":
                return self._postprocess(value)
            case _:
                return self._language(value.strip())

    # --- audio ---

    def _hear(self, data: bytes) -> Sequence[Verb]:
        if self._state not in {State.READY, State.STREAMING} or not data:
            return []
        opening = [verbs.Open(OpenRequest(audio=AudioFormat(), config=self._config))] if self._state is State.READY else []
        self._state = State.STREAMING
        self._received += len(data)
        return [*opening, verbs.Feed(data)]

    def _start(self) -> Sequence[Verb]:
        if self._state is State.STREAMING:
            self._state = State.RESTARTING
            return [verbs.End()]
        self._begin()
        return [self._event("started")]

    def _begin(self) -> None:
        self._state, self._received = State.READY, 0
        self._sentences, self._partial = [], None

    def _stop(self) -> Sequence[Verb]:
        if self._state is State.STREAMING:
            self._state = State.STOPPING
            return [verbs.End()]
        self._state = State.STOPPED
        return [self._event("stopped")]

    # --- settings ---

    def _hotwords(self, words: list[str]) -> Sequence[Verb]:
        return [*self._changed(self._config.updated(hotwords=expected(words))), self._event("hotwords_set", hotwords=words)]

    def _language(self, name: str) -> Sequence[Verb]:
        wanted = LANGUAGES.get(name.lower(), name) or self._offer.defaults.language
        try:
            changed = self._changed(self._config.updated(language=wanted))
        except InvalidOption as error:
            return [self._complain(error.message)]
        return [*changed, self._event("language_set", language=name)]

    def _changed(self, config: SessionConfig) -> Sequence[Verb]:
        self._config = self._offer.capabilities.serve(config)
        return [verbs.Configure(self._config)] if self._state is State.STREAMING else []

    def _postprocess(self, value: str) -> Sequence[Verb]:
        pairs: dict[str, str] = {}
        for entry in value.replace("\n", ",").split(",")[:MOST_REPLACEMENTS]:
            wrong, arrow, right = (part.strip() for part in entry.partition("=>"))
            if wrong:
                pairs[wrong] = right if arrow else wrong
        self._replacements = pairs
        return [self._event("postprocess_hotwords_set", postprocess_hotwords=pairs)]

    # --- results ---

    def event(self, event: SessionEvent) -> Sequence[Frame]:
        match event:
            case Transcript():
                return self._heard(event)
            case SessionDone():
                return self._done()
            case SessionFailed():
                return [_frame(event="error", error=event.message)]
            case _:
                return []

    def _heard(self, transcript: Transcript) -> Sequence[Frame]:
        self._partial = None if transcript.is_final else transcript
        if transcript.is_final and transcript.text:
            text = transcript.text
            for wrong, right in self._replacements.items():
                text = text.replace(wrong, right)
            sentence = {"text": text, "start": ms(transcript.start), "end": ms(transcript.end)}
            self._sentences.append(msgspec.Raw(msgspec.json.encode(sentence)))
        return [] if self._state is State.RESTARTING else [self._result(final=False)]

    def _done(self) -> Sequence[Frame]:
        if self._state is State.RESTARTING:
            self._begin()
            return [_frame(event="started")]
        self._state, self._partial = State.STOPPED, None
        return [self._result(final=True), _frame(event="stopped")]

    def _result(self, *, final: bool) -> Frame:
        duration, partial = self._received // BYTES_PER_MS, self._partial
        return _frame(
            sentences=self._sentences,
            partial="" if partial is None else partial.text,
            partial_start_ms=0 if final else duration if partial is None else ms(partial.start),
            duration_ms=duration,
            is_final=final,
        )

    def _event(self, name: str, **fields: Any) -> Verb:
        return verbs.Say([_frame(event=name, **fields)])

    def _complain(self, message: str) -> Verb:
        return self._event("error", error=message)

    def error(self, error: StarlingError) -> Sequence[Frame]:
        return [_frame(event="error", error=error.message)]


def _frame(**fields: Any) -> Frame:
    return json_frame(fields)
