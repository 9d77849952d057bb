"""The native protocol as a state machine: client frames become verbs, session events become server frames."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, assert_never

from starling.core.config import SessionConfig
from starling.core.errors import InvalidMessage, StarlingError
from starling.core.transcript import SessionDone, SessionEvent, SessionFailed
from starling.protocols import verbs
from starling.protocols.native import messages as wire
from starling.protocols.native.options import audio_format, changes, client_ref
from starling.protocols.native.presenter import Presenter
from starling.protocols.verbs import Frame, Offer, OpenRequest, Verb


class State(StrEnum):
    """How far a client has come. ``DONE``: the server has said its last word."""

    AWAITING = "awaiting start"
    STREAMING = "streaming"
    ENDING = "ending"
    DONE = "done"


class Input(StrEnum):
    """What a client frame is, as far as the table cares."""

    START = "start"
    RESUME = "resume"
    AUDIO = "audio"
    FINALIZE = "finalize"
    CONFIGURE = "configure"
    KEEPALIVE = "keepalive"
    END = "end"


TRANSITIONS: Final[dict[tuple[State, Input], State]] = {
    (State.AWAITING, Input.START): State.STREAMING,
    (State.AWAITING, Input.RESUME): State.STREAMING,
    (State.AWAITING, Input.AUDIO): State.STREAMING,
    (State.AWAITING, Input.KEEPALIVE): State.AWAITING,
    (State.STREAMING, Input.AUDIO): State.STREAMING,
    (State.STREAMING, Input.FINALIZE): State.STREAMING,
    (State.STREAMING, Input.CONFIGURE): State.STREAMING,
    (State.STREAMING, Input.KEEPALIVE): State.STREAMING,
    (State.STREAMING, Input.END): State.ENDING,
    (State.ENDING, Input.KEEPALIVE): State.ENDING,
    (State.ENDING, Input.END): State.ENDING,
}
"""Where a frame leads. A missing row is a frame the client may not send there."""

_INPUT: Final[dict[type[wire.ClientMessage], Input]] = {
    wire.Start: Input.START,
    wire.Resume: Input.RESUME,
    wire.Finalize: Input.FINALIZE,
    wire.Configure: Input.CONFIGURE,
    wire.SetLangs: Input.CONFIGURE,
    wire.KeepAlive: Input.KEEPALIVE,
    wire.End: Input.END,
}

_PLAIN: Final[dict[type[wire.ClientMessage], Verb]] = {
    wire.Finalize: verbs.Finalize(),
    wire.KeepAlive: verbs.KeepAlive(),
    wire.End: verbs.End(),
}


class NativeAdapter:
    """``verbs.Adapter`` for the native protocol."""

    lasts = False
    forgives = True

    def __init__(self, offer: Offer) -> None:
        self._offer = offer
        self._state = State.AWAITING
        self._request = OpenRequest(config=offer.defaults)
        self._config = offer.defaults
        self._presenter = Presenter()

    @property
    def state(self) -> State:
        return self._state

    def connected(self) -> Sequence[Verb]:
        return ()

    def receive(self, frame: Frame) -> Sequence[Verb]:
        message = wire.decode_client(frame) if isinstance(frame, str) else frame
        kind = Input.AUDIO if isinstance(message, bytes) else _INPUT[type(message)]
        after = TRANSITIONS.get((self._state, kind))
        if after is None:
            raise InvalidMessage(f"expected {_named(self._state)} in state '{self._state}', got {kind}")
        found = self._verbs(message)
        self._state = after
        return found

    def _verbs(self, message: wire.ClientMessage | bytes) -> Sequence[Verb]:
        match message:
            case bytes():
                feed = verbs.Feed(message)
                return [self._open(wire.Start()), feed] if self._state is State.AWAITING else [feed]
            case wire.Start():
                return [self._open(message)]
            case wire.Resume():
                last = message.last_result if isinstance(message.last_result, int) else -1
                return [verbs.Resume(message.token, last, message.sent)]
            case wire.Configure() | wire.SetLangs():
                self._config = self._configured(message)
                return [verbs.Configure(self._config)]
            case wire.Finalize() | wire.KeepAlive() | wire.End():
                return [_PLAIN[type(message)]]
            case _:
                assert_never(message)

    def _open(self, start: wire.Start) -> verbs.Open:
        config = self._configured(start)
        self._request = OpenRequest(
            audio=audio_format(start), config=config, client_ref=client_ref(start), resume=start.resume is True
        )
        self._config = config
        return verbs.Open(self._request)

    def _configured(self, message: wire.OptionFrame | wire.SetLangs) -> SessionConfig:
        return self._offer.capabilities.serve(self._config.updated(**changes(message)))

    def opened(self, session: verbs.Opened) -> Sequence[Frame]:
        return self._presenter.ready(self._request, self._offer.capabilities.model, session)

    def resumed(self, session: verbs.Opened, request: OpenRequest, received: int, *, ended: bool) -> Sequence[Frame]:
        self._request, self._config = request, request.config
        self._state = State.ENDING if ended else State.STREAMING
        return self._presenter.resumed(session, received)

    def acknowledged(self, received: int) -> Sequence[Frame]:
        return self._presenter.acknowledged(received)

    def event(self, event: SessionEvent) -> Sequence[Frame]:
        if isinstance(event, SessionDone | SessionFailed):
            self._state = State.DONE
        return self._presenter.event(event, words=self._config.words)

    def error(self, error: StarlingError) -> Sequence[Frame]:
        return self._presenter.error(error)

    def closing(self, verdict: type[StarlingError] | None) -> tuple[int, str]:
        return verbs.plain_closing(verdict)


def _named(state: State) -> str:
    """What a client may send in ``state``, by the types of its frames."""
    inputs = [given for known, given in TRANSITIONS if known is state]
    return ", ".join("configure, set_langs" if given is Input.CONFIGURE else given for given in inputs) or "nothing more"
