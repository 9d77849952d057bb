"""AssemblyAI's streaming protocol as a state machine. A session is there from the connection on; each segment is a turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starling.core.errors import InvalidMessage, Overloaded, ServerError, SessionTooLong, StarlingError
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
from starling.protocols.assemblyai.options import turn_options
from starling.protocols.assemblyai.presenter import Presenter
from starling.protocols.errors import kind_of
from starling.protocols.foreign import ForeignAdapter, Head, json_object
from starling.protocols.verbs import Frame, Offer, Opened, OpenRequest, Verb

CANCELLED: Final = 3005
INVALID: Final = 3006
EXPIRED: Final = 3008
TOO_MANY: Final = 3009


class AssemblyAIAdapter(ForeignAdapter):
    """``verbs.Adapter`` for one stream. Raises InvalidOption and UnsupportedAudio for a query that asks for what cannot be."""

    def __init__(self, offer: Offer, head: Head) -> None:
        self._offer = offer
        self._options = turn_options(head.query, offer)
        self._presenter = Presenter()
        self._ended = False

    def connected(self) -> Sequence[Verb]:
        return [verbs.Open(OpenRequest(audio=self._options.audio, config=self._options.config))]

    def receive(self, frame: Frame) -> Sequence[Verb]:
        if self._ended:
            return ()  # a thread that still sends need not know that another one has ended the stream
        if isinstance(frame, bytes):
            return [verbs.Feed(frame)]
        message = json_object(frame)
        match message.get("type"):
            case "UpdateConfiguration":
                self._options = self._options.updated(message, self._offer)
                return [verbs.Configure(self._options.config)]
            case "ForceEndpoint":
                return [verbs.Finalize()]
            case "KeepAlive":
                return [verbs.KeepAlive()]
            case "Terminate":
                self._ended = True
                return [verbs.End()]
            case _:
                raise InvalidMessage(
                    "expected UpdateConfiguration, ForceEndpoint, KeepAlive or Terminate as type, got something else"
                )

    def opened(self, session: Opened) -> Sequence[Frame]:
        return [self._presenter.begin(session)]

    def event(self, event: SessionEvent) -> Sequence[Frame]:
        match event:
            case SpeechStarted():
                return [self._presenter.speech_started(event.at)]
            case Transcript() if event.is_final:
                return self._presenter.final(event, formatted=self._options.formatted)
            case Transcript():
                return self._presenter.partial(event)
            case SessionFailed():
                return [self._presenter.error(_code(kind_of(event.code)), event.message)]
            case SessionDone():
                return [self._presenter.termination(event.position)]
            case SpeechEnded() | SegmentFailed():  # the final that follows says it
                return ()

    def error(self, error: StarlingError) -> Sequence[Frame]:
        return [self._presenter.error(_code(type(error)), error.message)]

    def closing(self, verdict: type[StarlingError] | None) -> tuple[int, str]:
        return (1000, "") if verdict is None else (_code(verdict), verdict.code)


def _code(kind: type[StarlingError]) -> int:
    """The close code of the other server that is nearest."""
    if issubclass(kind, SessionTooLong):
        return EXPIRED
    if issubclass(kind, Overloaded):
        return TOO_MANY
    return CANCELLED if kind.retryable or issubclass(kind, ServerError) else INVALID
