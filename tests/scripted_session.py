"""Drives a session with the deterministic engine and scores computed from the samples: what laws are tested on."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from starling.core.audio import FRAME, Samples, samples
from starling.core.config import SessionConfig
from starling.core.ports import EngineStream
from starling.core.records import Audio, Checkpoint, Ended, Opened, Record
from starling.core.transcript import SessionEvent, Transcript
from starling.engine.scripted import ScriptedEngine
from starling.session.commands import Begin, Command, Commit, DecodeFinal, DecodePartial, Deliver, Feed, Listen
from starling.session.machine import Session
from starling.session.options import SegmentationOptions

CONFIG = SessionConfig(partial_interval=0.3, endpoint_silence=0.3)


def speech(duration: float, seed: int = 0) -> Samples:
    """Noise that counts as speech. No two blocks of it are alike."""
    return np.random.default_rng(seed).integers(-9000, 9000, samples(duration)).astype(np.int16)


def silence(duration: float) -> Samples:
    return np.zeros(samples(duration), np.int16)


def conversation(*durations: float, seed: int = 0) -> Samples:
    """Silence and speech in turn, silence first."""
    parts = [silence(d) if i % 2 == 0 else speech(d, seed + i) for i, d in enumerate(durations)]
    return np.concatenate(parts) if parts else silence(0)


def score(frames: NDArray[np.int16]) -> list[float]:
    """1.0 for a frame that is mostly loud, else 0.0."""
    return [float((np.abs(frame.astype(np.int32)) > 100).mean() > 0.5) for frame in frames]


@dataclass
class Driver:
    """Does at once what a session commands. ``withhold``: keep decodes until ``answer`` is called, as a busy engine would."""

    checkpoint: Checkpoint = field(default_factory=lambda: Checkpoint(config=CONFIG))
    engine: ScriptedEngine = field(default_factory=ScriptedEngine)
    options: SegmentationOptions = field(default_factory=SegmentationOptions)
    withhold: bool = False

    def __post_init__(self) -> None:
        self.session = Session(Opened("s", "t", self.checkpoint), self.options)
        self.events: list[SessionEvent] = []
        self.commits: list[Checkpoint] = []
        self.commit_after: list[int] = []  # how many events had been delivered at each commit
        self.withheld: list[tuple[int, bool]] = []
        self.streams: dict[int, EngineStream] = {}
        self._sequence = 0

    @property
    def transcripts(self) -> list[Transcript]:
        return [event for event in self.events if isinstance(event, Transcript)]

    @property
    def finals(self) -> list[Transcript]:
        return [transcript for transcript in self.transcripts if transcript.is_final]

    def audio(self, block: Samples, start: int) -> None:
        self._sequence += 1
        self.tell(Audio("s", self._sequence, start, block))

    def play(self, sound: Samples, cuts: list[int] | None = None, start: int = 0) -> None:
        """All of ``sound``, cut at ``cuts``."""
        edges = [0, *sorted(set(cuts or [])), len(sound)]
        for left, right in zip(edges, edges[1:], strict=False):
            self.audio(sound[left:right], start + left)

    def end(self) -> None:
        self.tell(Ended("s", self._sequence + 1))

    def tell(self, record: Record) -> None:
        self._do(self.session.receive(record))

    def answer(self, index: int = 0) -> None:
        """Let the engine finish one of the decodes that it holds."""
        segment_id, is_final = self.withheld.pop(index)
        self._do(self._decode(segment_id, is_final=is_final))

    def _decode(self, segment_id: int, *, is_final: bool) -> list[Command]:
        [outcome] = self.engine.decode_streams([self.streams[segment_id]])
        return self.session.decoded(segment_id, outcome, is_final=is_final)

    def _do(self, commands: list[Command]) -> None:
        todo = deque(commands)
        while todo:
            match todo.popleft():
                case Listen(frames=frames):
                    assert frames.shape[1] == FRAME
                    todo.extend(self.session.hear(score(frames)))
                case Begin(segment_id=segment_id, options=options):
                    self.streams[segment_id] = self.engine.create_stream(options)
                case Feed(segment_id=segment_id, samples=block):
                    self.streams[segment_id].accept_waveform(block)
                case DecodePartial(segment_id=segment_id):
                    self._ask(todo, segment_id, is_final=False)
                case DecodeFinal(segment_id=segment_id, end=end):
                    self.streams[segment_id].input_finished(end)
                    self._ask(todo, segment_id, is_final=True)
                case Deliver(event=event):
                    self.events.append(event)
                case Commit(checkpoint=checkpoint):
                    self.commits.append(checkpoint)
                    self.commit_after.append(len(self.events))

    def _ask(self, todo: deque[Command], segment_id: int, *, is_final: bool) -> None:
        if self.withhold:
            self.withheld.append((segment_id, is_final))
        else:
            todo.extend(self._decode(segment_id, is_final=is_final))
