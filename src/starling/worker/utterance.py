"""A segment on its way through the engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starling.core.audio import Samples, seconds
from starling.core.ports import EngineStream

TRIES: Final = 4
"""Partials of a segment that go before those of others while nothing of it was shown: of noise nothing may ever be."""


@dataclass(slots=True)
class Utterance:
    """A segment's engine stream, how many samples it holds, how many partials were decoded, and whether one was shown."""

    stream: EngineStream
    fed: int = 0
    tried: int = 0
    shown: bool = False

    def feed(self, samples: Samples) -> None:
        """Append int16 ``[n]``. Raises what the stream raises."""
        self.stream.accept_waveform(samples)
        self.fed += len(samples)

    @property
    def audio(self) -> float:
        """Seconds of sound in it."""
        return seconds(self.fed)

    @property
    def first(self) -> bool:
        """Whether the next partial may be the first that is shown. What is heard of a word's beginning has often no text yet."""
        return not self.shown and self.tried < TRIES
