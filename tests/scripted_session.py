"""Drives a session with deterministic twins of engine and detector: what the laws are tested on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np

from starling.core.audio import Samples, samples
from starling.core.config import SessionConfig
from starling.core.ports import EngineStream, VadStream
from starling.core.records import Audio, Checkpoint, Configure, Ended, Finalize, Gap, Opened, Record
from starling.core.transcript import SessionEvent, Transcript
from starling.engine.scripted import ScriptedEngine
from starling.session.commands import Begin, Command, Commit, DecodeFinal, DecodePartial, Deliver, Feed, Finish, Listen
from starling.session.machine import Session
from starling.session.options import SegmentationOptions
from starling.vad.energy import EnergyVad

CONFIG = SessionConfig(partial_interval=0.3, endpoint_silence=0.3)

Kind: TypeAlias = Literal["silence", "speech", "mumble", "gap", "finalize", "configure"]
Part: TypeAlias = tuple[Kind, float]
"""A stretch of a script and its duration in seconds; of a configure, the endpoint silence it asks for."""


def speech(duration: float, seed: int = 0) -> Samples:
    """Noise that is surely speech. No two blocks of it are alike."""
    return np.random.default_rng(seed).integers(-9000, 9000, samples(duration)).astype(np.int16)


def mumble(duration: float, seed: int = 0) -> Samples:
    """Noise whose loudness changes every 40 ms: speech, silence, or anything between."""
    random = np.random.default_rng(seed)
    loudness: Samples = random.choice(np.array([0, 70, 120, 150, 200, 400, 9000]), samples(duration) // 640 + 1).repeat(640)
    sound = random.uniform(-1, 1, samples(duration)) * loudness[: samples(duration)]
    return sound.astype(np.int16)


def silence(duration: float) -> Samples:
    return np.zeros(samples(duration), np.int16)


def conversation(*durations: float, seed: int = 0) -> Samples:
    """Silence and speech in turn, silence first."""
    parts = [silence(d) if i % 2 == 0 else speech(d, seed + i) for i, d in enumerate(durations)]
    return np.concatenate(parts) if parts else silence(0)


def written(parts: Sequence[Part], cuts: Iterable[int] = (), session_id: str = "s") -> list[Record]:
    """The records of ``parts``, then Ended; audio is cut at the positions ``cuts``. The n-th part always sounds the same."""
    records: list[Record] = []
    position = 0
    for index, (kind, value) in enumerate(parts):
        match kind:
            case "finalize":
                records.append(Finalize(session_id, len(records)))
            case "configure":
                records.append(Configure(session_id, len(records), CONFIG.updated(endpoint_silence=value)))
            case "gap":
                records.append(Gap(session_id, len(records), position, samples(value)))
                position += samples(value)
            case _:
                sound = silence(value) if kind == "silence" else {"speech": speech, "mumble": mumble}[kind](value, index)
                end = position + len(sound)
                edges = sorted({position, end, *(cut for cut in cuts if position < cut < end)})
                for left, right in pairwise(edges):
                    records.append(Audio(session_id, len(records), left, sound[left - position : right - position]))
                position = end
    records.append(Ended(session_id, len(records)))
    return records


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
        self.commands: list[Command] = []
        self.withheld: list[tuple[int, bool]] = []
        self.streams: dict[int, EngineStream] = {}
        self.starts: dict[int, int] = {}
        self._vad = EnergyVad()
        self._ear: VadStream | None = None
        self._sequence = 0

    @property
    def transcripts(self) -> list[Transcript]:
        return [event for event in self.events if isinstance(event, Transcript)]

    @property
    def finals(self) -> list[Transcript]:
        return [transcript for transcript in self.transcripts if transcript.is_final]

    def play(self, records: Iterable[Record]) -> None:
        for record in records:
            self.tell(record)

    def audio(self, sound: Samples, start: int) -> None:
        """One record of audio."""
        self._sequence += 1
        self.tell(Audio("s", self._sequence, start, sound))

    def end(self) -> None:
        self._sequence += 1
        self.tell(Ended("s", self._sequence))

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
            command = todo.popleft()
            self.commands.append(command)
            match command:
                case Listen():
                    todo.extend(self._listen(command))
                case Begin(segment_id=segment_id, options=options):
                    self.streams[segment_id] = self.engine.create_stream(options)
                    self.starts[segment_id] = self.session._segments[segment_id].audio_start
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
                case Finish():
                    assert not todo

    def _listen(self, command: Listen) -> list[Command]:
        if command.fresh or self._ear is None:
            self._ear = self._vad.create_stream(command.mode)
        [scores] = self._vad.score([(self._ear, command.frames)])
        return self.session.hear(scores.tolist())

    def _ask(self, todo: deque[Command], segment_id: int, *, is_final: bool) -> None:
        if self.withhold:
            self.withheld.append((segment_id, is_final))
        else:
            todo.extend(self._decode(segment_id, is_final=is_final))
