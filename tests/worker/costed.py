"""An engine whose decodes take the time they would take, and clients that talk without end."""

from __future__ import annotations

from collections.abc import Sequence

from scripted_session import Part, written
from starling.core.audio import samples, seconds
from starling.core.ports import DecodeOutcome, EngineStream
from starling.core.records import Record
from starling.core.transcript import SessionEvent, SpeechEnded, SpeechStarted, Transcript
from starling.engine.scripted import ScriptedEngine, ScriptedStream


class CostedEngine(ScriptedEngine):
    """``cost``: seconds that the last call took; ``busy``: that all of them took. Use as ``Rig(decode=lambda: engine.cost)``.

    A decode takes ``speed`` times 4 ms and 4 ms per second of sound; a final three times that.
    """

    def __init__(self, speed: float = 1.0) -> None:
        super().__init__()
        self.speed = speed
        self.cost = 0.0
        self.busy = 0.0

    def decode_streams(self, streams: Sequence[EngineStream]) -> list[DecodeOutcome]:
        self.cost = 0.0
        for stream in streams:
            assert isinstance(stream, ScriptedStream)
            snapshot = stream.snapshot()
            once = 0.004 + 0.004 * seconds(len(snapshot.samples))
            self.cost += self.speed * once * (3 if snapshot.is_final else 1)
        self.busy += self.cost
        return super().decode_streams(streams)


def talk(session_id: str, duration: float, *, phrase: float = 4.0, pause: float = 0.8, offset: float = 0.0) -> list[Record]:
    """Phrases and pauses for ``duration`` seconds, from ``offset`` on, in records of 100 ms."""
    parts: list[Part] = [("silence", 0.1 + offset)]
    parts += [("speech", phrase), ("silence", pause)] * round(duration / (phrase + pause))
    return written(parts, range(1600, samples(duration + offset + 10), 1600), session_id)


class Heard:
    """A session's results with the time at which each came."""

    def __init__(self) -> None:
        self.events: list[tuple[float, SessionEvent]] = []

    def partials(self, begin: float = 0.0, end: float = float("inf")) -> int:
        return sum(isinstance(it, Transcript) and not it.is_final for at, it in self.events if begin <= at < end)

    def first_latencies(self, begin: float = 0.0) -> list[float]:
        """From the onset of speech to its first words, of a client in real time that began at 0."""
        firsts = {it.segment_id: at for at, it in reversed(self.events) if isinstance(it, Transcript) and not it.is_final}
        onsets = {it.segment_id: seconds(it.at) for at, it in self.events if isinstance(it, SpeechStarted) and at >= begin}
        return [firsts[segment_id] - onset for segment_id, onset in onsets.items() if segment_id in firsts]

    def final_latencies(self, begin: float = 0.0, end: float = float("inf")) -> list[float]:
        """From the sound that decided an end to the final, of a client in real time that began at 0."""
        noticed = {it.segment_id: seconds(it.noticed) for _, it in self.events if isinstance(it, SpeechEnded)}
        return [
            at - noticed[it.segment_id]
            for at, it in self.events
            if isinstance(it, Transcript) and it.is_final and begin <= at < end
        ]
