"""One channel of a recording on its way to a text: the session of live recognition, driven as fast as it goes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from starling.core.audio import SAMPLE_RATE, Samples
from starling.core.errors import EngineFailed
from starling.core.ports import Engine, EngineStream, Vad, VadStream
from starling.core.records import Audio, Checkpoint, Opened, Record
from starling.core.transcript import Transcript
from starling.session.commands import Begin, Command, Commit, DecodeFinal, Deliver, Feed, Listen
from starling.session.machine import Session, State
from starling.session.options import SegmentationOptions
from starling.vad.gate import GateOptions
from starling.vad.gated import GatedAudio

GATHERED: Final = 32
"""Segments that wait to be decoded together, at most: as many as the decoder reads in one pass at ``fast``."""

WAITING: Final = 120 * SAMPLE_RATE
"""Samples of sound after which they wait no longer: who goes on after a crash hears so much again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What recordings are heard with: those of live recognition, set as there, or the texts differ."""

    engine: Engine
    vad: Vad
    segmentation: SegmentationOptions
    gate: GateOptions


@dataclass(frozen=True, slots=True)
class Settled:
    """``finals``, and the checkpoint that stands behind them: whoever goes on from there finds what comes after them, once."""

    finals: tuple[Transcript, ...]
    checkpoint: Checkpoint


class Channel:
    """The session of one channel. ``checkpoint``: where to begin; its configuration asks for no partials.

    Segments are decoded together, which changes no text and costs much less: what is settled lags behind what is heard.
    The sound is fed from the beginning nevertheless: what the silence gate makes of it depends on all that it heard.
    """

    def __init__(self, session_id: str, checkpoint: Checkpoint, tools: Tools) -> None:
        self._tools = tools
        self._from = checkpoint.position
        self._input = GatedAudio(session_id, checkpoint.config, tools.gate)
        self._session = Session(Opened(session_id, "", checkpoint), tools.segmentation)
        self._ear: VadStream | None = None
        self._streams: dict[int, EngineStream] = {}
        self._waiting: list[tuple[int, EngineStream]] = []  # whole segments, in order
        self._since = checkpoint.position  # where the first of them began to wait
        self._finals: list[Transcript] = []

    @property
    def heard(self) -> int:
        """The position up to which it has been listened to."""
        return self._session.heard

    def hear(self, samples: Samples) -> Iterator[Settled]:
        """Take int16 ``[n]``, 16 kHz, and give what that settles. Raises EngineFailed where a segment cannot be decoded."""
        yield from self._follow(self._input.audio(samples))
        if self._waiting and self.heard - self._since >= WAITING:
            yield from self._drive(self._decoded())

    def finish(self) -> Iterator[Settled]:
        """No more sound comes: give the rest."""
        yield from self._follow(self._input.end())
        yield from self._drive(self._decoded())

    def _follow(self, records: Iterable[Record]) -> Iterator[Settled]:
        for record in records:
            if not isinstance(record, Audio) or record.end > self._from:
                yield from self._drive(self._session.receive(record))

    def _drive(self, commands: Iterable[Command]) -> Iterator[Settled]:
        """Do what the session commands until it wants nothing more."""
        engine, vad = self._tools.engine, self._tools.vad
        todo = deque(commands)
        while todo:
            match todo.popleft():
                case Listen(frames=frames, mode=mode, fresh=fresh):
                    if fresh or self._ear is None:
                        self._ear = vad.create_stream(mode)
                    [scores] = vad.score([(self._ear, frames)])
                    todo.extend(self._session.hear(scores.tolist()))
                case Begin(segment_id=segment_id, options=options):
                    self._streams[segment_id] = engine.create_stream(options)
                case Feed(segment_id=segment_id, samples=samples):
                    self._streams[segment_id].accept_waveform(samples)
                case DecodeFinal(segment_id=segment_id, end=end):
                    self._wait(segment_id, end)
                    if self._session.state is State.TRYING or len(self._waiting) >= GATHERED:
                        todo.extend(self._decoded())
                case Deliver(event=Transcript() as final) if final.text:  # an empty one only takes partials back
                    self._finals.append(final)
                case Commit(checkpoint=checkpoint):
                    finals, self._finals = tuple(self._finals), []
                    yield Settled(finals, checkpoint)

    def _wait(self, segment_id: int, end: int) -> None:
        stream = self._streams.pop(segment_id)
        stream.input_finished(end)
        if not self._waiting:
            self._since = self.heard
        self._waiting.append((segment_id, stream))

    def _decoded(self) -> Iterator[Command]:
        """What the session wants when it knows the texts of all that waits."""
        waiting, self._waiting = self._waiting, []
        outcomes = self._tools.engine.decode_streams([stream for _, stream in waiting])
        for (segment_id, _), outcome in zip(waiting, outcomes, strict=True):
            if isinstance(outcome, EngineFailed):
                raise outcome
            yield from self._session.decoded(segment_id, outcome, is_final=True)
