"""One channel of a recording on its way to a text: the session of live recognition, driven as fast as it goes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from starling.core.audio import Samples
from starling.core.errors import EngineFailed
from starling.core.ports import Engine, EngineStream, Vad, VadStream
from starling.core.records import Audio, Checkpoint, Opened, Record
from starling.core.transcript import Transcript
from starling.session.commands import Begin, Command, Commit, DecodeFinal, Deliver, Feed, Listen
from starling.session.machine import Session
from starling.session.options import SegmentationOptions
from starling.vad.gate import GateOptions
from starling.vad.gated import GatedAudio


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

    The sound is fed from the beginning nevertheless: what the silence gate makes of it depends on all that it heard.
    """

    def __init__(self, session_id: str, checkpoint: Checkpoint, tools: Tools) -> None:
        self._tools = tools
        self._from = checkpoint.position
        self._input = GatedAudio(session_id, checkpoint.config, tools.gate)
        self._session = Session(Opened(session_id, "", checkpoint), tools.segmentation)
        self._ear: VadStream | None = None
        self._streams: dict[int, EngineStream] = {}
        self._finals: list[Transcript] = []

    @property
    def heard(self) -> int:
        """The position up to which it has been listened to."""
        return self._session.heard

    def hear(self, samples: Samples) -> Iterator[Settled]:
        """Take int16 ``[n]``, 16 kHz, and give what that settles. Raises EngineFailed where a segment cannot be decoded."""
        return self._follow(self._input.audio(samples))

    def finish(self) -> Iterator[Settled]:
        """No more sound comes: give the rest."""
        return self._follow(self._input.end())

    def _follow(self, records: Iterable[Record]) -> Iterator[Settled]:
        for record in records:
            if not isinstance(record, Audio) or record.end > self._from:
                yield from self._drive(record)

    def _drive(self, record: Record) -> Iterator[Settled]:
        """Give the session a record and do what it commands until it wants nothing more."""
        engine, vad = self._tools.engine, self._tools.vad
        todo: deque[Command] = deque(self._session.receive(record))
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
                    stream = self._streams.pop(segment_id)
                    stream.input_finished(end)
                    [outcome] = engine.decode_streams([stream])
                    if isinstance(outcome, EngineFailed):
                        raise outcome
                    todo.extend(self._session.decoded(segment_id, outcome, is_final=True))
                case Deliver(event=Transcript() as final) if final.text:  # an empty one only takes partials back
                    self._finals.append(final)
                case Commit(checkpoint=checkpoint):
                    finals, self._finals = tuple(self._finals), []
                    yield Settled(finals, checkpoint)
