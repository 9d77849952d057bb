"""What is said of one utterance: its text as it grows, then the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from starling.protocols.deltas import GrowingText
from starling.protocols.wyoming.events import Event


@dataclass(slots=True)
class Utterance:
    """From ``transcript-start`` to ``transcript-stop``. ``language``: of its text."""

    language: str
    _finals: list[str] = field(default_factory=list)
    _growing: GrowingText = field(default_factory=GrowingText)  # of the open segment
    _told: bool = False  # something of a segment
    _begun: bool = False  # something of the open one

    def partial(self, stable: str) -> Sequence[Event]:
        """Words of the open segment will stay."""
        return self._chunk(self._growing.partial(stable))

    def final(self, text: str) -> Sequence[Event]:
        """The open segment has its text."""
        chunks = self._chunk(self._growing.final(text))
        if text:
            self._finals.append(text)
        self._growing, self._begun = GrowingText(), False
        return chunks

    def over(self) -> Sequence[Event]:
        """All of it was heard."""
        whole = Event("transcript", {"text": " ".join(self._finals), "language": self.language})
        start = [] if self._told else [self._start()]
        return [*start, whole, Event("transcript-stop")]

    def _chunk(self, delta: str) -> Sequence[Event]:
        if not delta:
            return ()
        first = not self._told
        spaced = delta if self._begun or first else f" {delta}"
        self._told = self._begun = True
        chunk = Event("transcript-chunk", {"text": spaced})
        return [self._start(), chunk] if first else [chunk]

    def _start(self) -> Event:
        return Event("transcript-start", {"language": self.language})
