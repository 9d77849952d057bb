"""What a speaker says: turns, each a recording and a pause, and how soon its words were heard.

A chunk is *due* when a microphone would have handed it out; all latencies count from there, whenever the chunk really left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from starling.client.pacing import CHUNK
from starling.core.audio import FRAME, SAMPLE_RATE, Samples, samples

QUIET: Final = 0.2
"""Share of the loudest frame's level below which a frame at either end of a recording is no speech."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Positions in samples from the start of all audio. ``onset``, ``end``: of speech; ``over``: where the next one begins."""

    onset: int
    end: int
    over: int


@dataclass(frozen=True, slots=True)
class Speech:
    """``audio``: whole chunks, as every turn is. ``turns``: in order, none empty."""

    audio: Samples
    turns: tuple[Turn, ...]


def speech(recordings: Sequence[Samples], *, first: int, seconds: float, pause: float) -> Speech:
    """Turns that last for ``seconds`` at least, beginning with the recording at place ``first``, which is taken modulo.

    ``pause``: seconds of silence after each. Raises ValueError where there are no recordings.
    """
    if not recordings:
        raise ValueError("expected a recording at least, got none")
    pieces: list[Samples] = []
    turns: list[Turn] = []
    position = 0
    while position < seconds * SAMPLE_RATE:
        recording = recordings[(first + len(turns)) % len(recordings)]
        length = -(-(len(recording) + samples(pause)) // CHUNK) * CHUNK
        onset, end = spoken(recording)
        pieces.append(np.concatenate([recording, np.zeros(length - len(recording), np.int16)]))
        turns.append(Turn(position + onset, position + end, position + length))
        position += length
    return Speech(np.concatenate(pieces), tuple(turns))


def spoken(recording: Samples) -> tuple[int, int]:
    """Where the speech in ``recording`` begins and ends, in samples."""
    frames = len(recording) // FRAME
    if not frames:
        return 0, len(recording)
    levels = np.abs(recording[: frames * FRAME].astype(np.float32)).reshape(frames, FRAME).mean(axis=1)
    (loud,) = np.nonzero(levels > QUIET * levels.max())
    return (int(loud[0]) * FRAME, int(loud[-1] + 1) * FRAME) if len(loud) else (0, len(recording))


@dataclass(slots=True)
class Latencies:
    """Seconds, of many turns. ``first``: from the onset of speech to its first text. ``final``: from its end to its last final
    one. ``silent``: turns of which nothing final came before the next one began.
    """

    first: list[float] = field(default_factory=list)
    final: list[float] = field(default_factory=list)
    silent: int = 0

    def add(self, other: Latencies) -> None:
        """Take in those of another speaker."""
        self.first += other.first
        self.final += other.final
        self.silent += other.silent


class Ear:
    """Times what one speaker hears of ``speech``, whose first sample was recorded at ``began``."""

    def __init__(self, speech: Speech, began: float) -> None:
        self._turns = speech.turns
        self._began = began
        self._first: dict[int, float] = {}
        self._final: dict[int, float] = {}

    def hear(self, *, final: bool, now: float) -> None:
        """Some text came. It belongs to the turn that is on."""
        place = next((n for n, turn in enumerate(self._turns) if now < self._due(turn.over)), len(self._turns) - 1)
        if now >= self._due(self._turns[place].onset):
            self._first.setdefault(place, now)
            if final:
                self._final[place] = now

    def latencies(self) -> Latencies:
        """Of all turns."""
        return Latencies(
            [at - self._due(self._turns[place].onset) for place, at in self._first.items()],
            [max(0.0, at - self._due(self._turns[place].end)) for place, at in self._final.items()],
            len(self._turns) - len(self._final),
        )

    def _due(self, position: int) -> float:
        return self._began + -(-position // CHUNK) * CHUNK / SAMPLE_RATE
