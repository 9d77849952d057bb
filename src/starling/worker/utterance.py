"""A segment on its way through the engine."""

from __future__ import annotations

from dataclasses import dataclass

from starling.core.audio import Samples, seconds
from starling.core.ports import EngineStream


@dataclass(slots=True)
class Utterance:
    """A segment's engine stream, how many samples it holds, and whether anything of it was shown."""

    stream: EngineStream
    fed: int = 0
    shown: bool = False

    def feed(self, samples: Samples) -> None:
        """Append int16 ``[n]``. Raises what the stream raises."""
        self.stream.accept_waveform(samples)
        self.fed += len(samples)

    @property
    def audio(self) -> float:
        """Seconds of sound in it."""
        return seconds(self.fed)
