"""Both protocols of FunASR on one port: a client's first message tells which it speaks."""

from __future__ import annotations

from collections.abc import Sequence

from starling.core.errors import StarlingError
from starling.core.transcript import SessionEvent
from starling.protocols.foreign import ForeignAdapter, Head
from starling.protocols.funasr.realtime import RealtimeAdapter, is_command
from starling.protocols.funasr.twopass import TwoPassAdapter
from starling.protocols.verbs import Frame, Offer, Verb


class FunasrAdapter(ForeignAdapter):
    """``verbs.Adapter`` for FunASR's clients. Who begins with a command speaks the realtime protocol."""

    @property
    def lasts(self) -> bool:
        return True

    def __init__(self, offer: Offer, _: Head) -> None:
        self._offer = offer
        self._known = False
        self._spoken: TwoPassAdapter | RealtimeAdapter = TwoPassAdapter(offer)

    @property
    def forgives(self) -> bool:
        return self._spoken.forgives

    def receive(self, frame: Frame) -> Sequence[Verb]:
        if not self._known and isinstance(frame, str) and is_command(frame):
            self._spoken = RealtimeAdapter(self._offer)
        self._known = True
        return self._spoken.receive(frame)

    def event(self, event: SessionEvent) -> Sequence[Frame]:
        return self._spoken.event(event)

    def error(self, error: StarlingError) -> Sequence[Frame]:
        return self._spoken.error(error)
