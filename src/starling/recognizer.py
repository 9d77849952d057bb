"""Speech to text in this process, without a server::

    from starling import Recognizer

    with Recognizer() as recognizer:
        stream = recognizer.create_stream()
        for block in blocks:                          # int16 arrays, 16 kHz mono
            for event in stream.accept_waveform(block):
                print(event)
        for event in stream.input_finished():
            print(event)

Sessions, silence gate, detector and engine are those of the server, driven by hand: the finals are the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Self

import numpy as np

from starling.core.audio import SAMPLE_RATE, Samples
from starling.core.config import SessionConfig
from starling.core.errors import UnsupportedAudio
from starling.core.ports import Capabilities, Engine, EngineStream, Vad, VadStream
from starling.core.records import Checkpoint, Opened, Record
from starling.core.transcript import SessionEvent, Transcript
from starling.engine.moonshine import MoonshineEngine
from starling.session.commands import Begin, Command, DecodeFinal, DecodePartial, Deliver, Feed, Listen
from starling.session.machine import Session
from starling.session.options import SegmentationOptions
from starling.vad.detector import Detector
from starling.vad.gate import GateOptions
from starling.vad.gated import GatedAudio


class Recognizer:
    """A model and a detector, shared by any number of streams. Not thread-safe; loading takes about half a second.

    ``engine`` and ``vad``: the embedded ones unless given; they are closed with the recognizer. Raises ModelUnavailable when the
    weights are missing or not those expected, InvalidOption for segments longer than the engine takes.
    """

    def __init__(
        self,
        *,
        engine: Engine | None = None,
        vad: Vad | None = None,
        segmentation: SegmentationOptions | None = None,
        gate: GateOptions | None = None,
    ) -> None:
        self._engine = engine or MoonshineEngine.load()
        self._vad = vad or Detector()
        self._segmentation = segmentation or SegmentationOptions()
        self._gate = gate or GateOptions()
        self._segmentation.check_fits(self._engine.capabilities)

    @property
    def capabilities(self) -> Capabilities:
        """What the engine can do."""
        return self._engine.capabilities

    def create_stream(self, config: SessionConfig | None = None) -> RecognizerStream:
        """A new session. Raises InvalidOption for a language the engine does not speak."""
        config = self._engine.capabilities.serve(config or SessionConfig())
        return RecognizerStream(self._engine, self._vad, config, self._segmentation, self._gate)

    def transcribe(self, blocks: Samples | Iterable[Samples], config: SessionConfig | None = None) -> Iterator[Transcript]:
        """The finals of a recording, as they become known. ``blocks``: int16 ``[n]``, 16 kHz mono, whole or in blocks."""
        stream = self.create_stream((config or SessionConfig()).updated(partials=False))
        for block in _seconds(blocks) if isinstance(blocks, np.ndarray) else blocks:
            yield from _finals(stream.accept_waveform(block))
        yield from _finals(stream.input_finished())

    def close(self) -> None:
        """Free the models; streams are dead after it."""
        self._engine.close()
        self._vad.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RecognizerStream:
    """One session. Each call returns the events it brought about, in order; decoding happens inside of it."""

    def __init__(
        self, engine: Engine, vad: Vad, config: SessionConfig, segmentation: SegmentationOptions, gate: GateOptions
    ) -> None:
        self._engine = engine
        self._vad = vad
        self._input = GatedAudio("local", config, gate)
        self._session = Session(Opened("local", "", Checkpoint(config=config)), segmentation)
        self._ear: VadStream | None = None
        self._streams: dict[int, EngineStream] = {}

    def accept_waveform(self, samples: Samples) -> list[SessionEvent]:
        """Take int16 ``[n]``, 16 kHz mono. Raises UnsupportedAudio for anything else."""
        if samples.dtype != np.int16 or samples.ndim != 1:
            raise UnsupportedAudio(
                f"expected one channel of int16, got shape {list(samples.shape)} of {samples.dtype}; "
                "float audio within -1 and 1 is (samples * 32767).astype(numpy.int16)"
            )
        return self._take(self._input.audio(samples))

    def finalize(self) -> list[SessionEvent]:
        """End the open segment here."""
        return self._take(self._input.finalize())

    def configure(self, config: SessionConfig) -> list[SessionEvent]:
        """Options from the next segment on. Raises InvalidOption for a language the engine does not speak."""
        return self._take(self._input.configure(self._engine.capabilities.serve(config)))

    def input_finished(self) -> list[SessionEvent]:
        """No more audio comes; the last event is SessionDone. Raises IllegalTransition when called again."""
        return self._take(self._input.end())

    def _take(self, records: Iterable[Record]) -> list[SessionEvent]:
        return [event for record in records for event in self._drive(record)]

    def _drive(self, record: Record) -> list[SessionEvent]:
        """Give the session a record and do what it commands until it wants nothing more."""
        events: list[SessionEvent] = []
        todo: deque[Command] = deque(self._session.receive(record))
        while todo:
            match todo.popleft():
                case Listen(frames=frames, mode=mode, fresh=fresh):
                    if fresh or self._ear is None:
                        self._ear = self._vad.create_stream(mode)
                    [scores] = self._vad.score([(self._ear, frames)])
                    todo.extend(self._session.hear(scores.tolist()))
                case Begin(segment_id=segment_id, options=options):
                    self._streams[segment_id] = self._engine.create_stream(options)
                case Feed(segment_id=segment_id, samples=samples):
                    self._streams[segment_id].accept_waveform(samples)
                case DecodePartial(segment_id=segment_id):
                    [outcome] = self._engine.decode_streams([self._streams[segment_id]])
                    todo.extend(self._session.decoded(segment_id, outcome, is_final=False))
                case DecodeFinal(segment_id=segment_id, end=end):
                    stream = self._streams.pop(segment_id)
                    stream.input_finished(end)
                    [outcome] = self._engine.decode_streams([stream])
                    todo.extend(self._session.decoded(segment_id, outcome, is_final=True))
                case Deliver(event=event):
                    events.append(event)
        return events


def _seconds(recording: Samples) -> Iterator[Samples]:
    """In blocks of a second, so that finals come while the rest is still to be heard."""
    return (recording[start : start + SAMPLE_RATE] for start in range(0, len(recording), SAMPLE_RATE))


def _finals(events: Iterable[SessionEvent]) -> Iterator[Transcript]:
    return (event for event in events if isinstance(event, Transcript) and event.is_final)
