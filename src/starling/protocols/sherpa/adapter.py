"""Both protocols of sherpa-onnx. Its clients for streams and for files come to the same port; their first bytes tell which."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from starling.core.audio import AudioFormat, Encoding
from starling.core.errors import InvalidMessage, StarlingError
from starling.core.transcript import SessionDone, SessionEvent, Transcript
from starling.protocols import verbs
from starling.protocols.foreign import ForeignAdapter, Head
from starling.protocols.sherpa.files import SAMPLE, FileBegins, FileEnds, FileReader, looks_like_a_file
from starling.protocols.sherpa.results import GOODBYE, offline, online
from starling.protocols.verbs import Frame, Offer, OpenRequest, Verb

DONE: Final = "Done"


class Kind(StrEnum):
    """Which of the two servers a client believes to talk to."""

    UNKNOWN = "unknown"
    STREAM = "stream"
    FILES = "files"


class SherpaAdapter(ForeignAdapter):
    """``verbs.Adapter`` for sherpa-onnx's clients."""

    def __init__(self, offer: Offer, _: Head) -> None:
        self._config = offer.capabilities.serve(offer.defaults.updated(words=True, partials=True))
        self._kind = Kind.UNKNOWN
        self._first = b""  # what came before the kind was known
        self._files = FileReader()
        self._ended = False
        self._segment = 0  # finals with a text
        self._last: Transcript | None = None  # the newest final with a text
        self._finals: list[Transcript] = []  # of the present file

    @property
    def lasts(self) -> bool:
        return self._kind is Kind.FILES

    def receive(self, frame: Frame) -> Sequence[Verb]:
        if self._ended:
            return ()
        if isinstance(frame, str):
            return self._end() if frame == DONE else self._other(frame)
        if self._kind is not Kind.UNKNOWN:
            return self._hear(frame)
        self._first += frame
        if len(self._first) < SAMPLE:
            return ()
        self._kind = Kind.FILES if looks_like_a_file(self._first) else Kind.STREAM
        found, self._first = self._hear(self._first), b""
        return found if self._kind is Kind.FILES else [self._open(AudioFormat().sample_rate), *found]

    def _hear(self, data: bytes) -> Sequence[Verb]:
        if self._kind is Kind.STREAM:
            return [verbs.Feed(data)]
        return [self._verb(found) for found in self._files.read(data)]

    def _verb(self, found: FileBegins | FileEnds | bytes) -> Verb:
        match found:
            case FileBegins():
                return self._open(found.rate)
            case FileEnds():
                return verbs.End()
            case bytes():
                return verbs.Feed(found)

    def _open(self, rate: int) -> Verb:
        return verbs.Open(OpenRequest(audio=AudioFormat(Encoding.PCM_F32LE, rate), config=self._config))

    def _end(self) -> Sequence[Verb]:
        if self._kind is Kind.FILES and self._files.within:
            raise InvalidMessage("expected the rest of a file, got Done")
        self._ended = True
        match self._kind:
            case Kind.STREAM:
                return [verbs.End()]
            case Kind.FILES:
                return [verbs.Leave()]
            case Kind.UNKNOWN:
                return [verbs.Say([online(None, 0, final=True, eof=True), GOODBYE]), verbs.Leave()]

    def _other(self, text: str) -> Sequence[Verb]:
        if self._kind is Kind.FILES:
            raise InvalidMessage(f"expected Done or a file, got a text of {len(text)} characters")
        return ()

    def event(self, event: SessionEvent) -> Sequence[Frame]:
        if self._kind is Kind.FILES:
            return self._file_event(event)
        match event:
            case Transcript():
                said = online(event, self._segment, final=event.is_final)
                if event.is_final and event.text:
                    self._segment += 1
                    self._last = event
                return [said]
            case SessionDone():
                self._ended = True
                return [online(self._last, max(0, self._segment - 1), final=True, eof=True), GOODBYE]
            case _:
                return ()

    def _file_event(self, event: SessionEvent) -> Sequence[Frame]:
        match event:
            case Transcript(is_final=True):
                if event.text:
                    self._finals.append(event)
            case SessionDone():
                finals, self._finals = self._finals, []
                return [offline(finals)]
            case _:
                pass
        return ()

    def error(self, error: StarlingError) -> Sequence[Frame]:
        del error  # the close frame says it
        return ()

    def closing(self, verdict: type[StarlingError] | None) -> tuple[int, str]:
        code, reason = super().closing(verdict)
        return code, reason or DONE
