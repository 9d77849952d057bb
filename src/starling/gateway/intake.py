"""A client's bytes become records of the audio log: decoded, gated, cut and numbered. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from starling.audio import open_decoder
from starling.core.audio import FRAME, SAMPLE_RATE, Encoding, Samples, seconds
from starling.core.config import OpenRequest, SessionConfig, VadMode
from starling.core.errors import ClientError
from starling.core.records import Audio, Configure, Ended, EndReason, Finalize, Gap, Record
from starling.telemetry.metrics import Metrics
from starling.vad.gate import GateOptions, GatePart, Passed, SilenceGate

SLICE: Final = 32_768
"""Bytes of PCM decoded at once: a second of it, or four at the lowest rate."""

OPUS_SLICE: Final = 4_096
"""Bytes of Opus decoded at once: a little of it can be minutes of silence."""

PIECE: Final = SAMPLE_RATE
"""Samples of one Audio record at most, so that back-pressure acts within a second of sound."""

GATE_MARGIN: Final = 1.0
"""Seconds the gate stays open after the silence that ends a segment."""


class Intake:
    """The way of one session's audio into the log. Raises UnsupportedAudio for a format that cannot be decoded."""

    def __init__(self, session_id: str, request: OpenRequest, metrics: Metrics) -> None:
        self._session_id = session_id
        self._metrics = metrics
        self._decoder = open_decoder(request.audio)
        self._slice = OPUS_SLICE if request.audio.encoding in {Encoding.OGG_OPUS, Encoding.WEBM_OPUS} else SLICE
        self._config = request.config
        self._gate = SilenceGate(_gate_options(request.config))
        self._base = 0  # position of the session at which the gate counts 0
        self._end = 0
        self._sequence = 0

    @property
    def position(self) -> int:
        """Samples that came in so far, those the gate holds back included."""
        return self._end

    def feed(self, data: bytes, arrived: float) -> Iterator[Sequence[Record]]:
        """The records that ``data`` completes, in steps short enough for an event loop. ``arrived``: when, in seconds.

        After what could be decoded, raises CorruptAudio or UnsupportedAudio.
        """
        for start in range(0, len(data), self._slice):
            samples = self._decoder.feed(data[start : start + self._slice])
            yield self._records(self._gated(samples), arrived)
            if self._decoder.fault is not None:
                raise self._decoder.fault

    def finalize(self, arrived: float) -> Sequence[Record]:
        """Everything held back by the gate, then Finalize."""
        return [*self._records(self._flushed(), arrived), Finalize(self._session_id, self._next())]

    def configure(self, config: SessionConfig, arrived: float) -> Sequence[Record]:
        """Configure, preceded by everything held back if the gate must change with it."""
        records: list[Record] = []
        if _gate_options(config) != _gate_options(self._config):
            records += self._records(self._flushed(), arrived)
            self._renew_gate(config)
        self._config = config
        return [*records, Configure(self._session_id, self._next(), config)]

    def end(self, reason: EndReason, arrived: float) -> tuple[Sequence[Record], ClientError | None]:
        """The rest of the audio, then Ended; and what was wrong with the very end of it, if anything."""
        fault = self._decoder.fault
        records: list[Record] = []
        if fault is None:
            samples = self._decoder.flush()
            fault = self._decoder.fault
            records += self._records(self._gated(samples), arrived)
        records += self._records(self._flushed(), arrived)
        return [*records, Ended(self._session_id, self._next(), reason)], fault

    def _gated(self, samples: Samples) -> list[GatePart]:
        self._end += len(samples)
        self._metrics.audio_seconds_in.inc(seconds(len(samples)))
        return self._gate.feed(samples)

    def _flushed(self) -> list[GatePart]:
        return self._gate.flush()

    def _renew_gate(self, config: SessionConfig) -> None:
        """A new gate on the old one's frame boundaries: what it hears of the broken frame before it is silence."""
        self._gate = SilenceGate(_gate_options(config))
        broken = self._end % FRAME
        self._base = self._end - broken
        self._gate.feed(np.zeros(broken, np.int16))

    def _records(self, parts: Sequence[GatePart], arrived: float) -> list[Record]:
        records: list[Record] = []
        for part in parts:
            start = self._base + part.start
            if isinstance(part, Passed):
                for offset in range(0, len(part.samples), PIECE):
                    piece = part.samples[offset : offset + PIECE]
                    records.append(Audio(self._session_id, self._next(), start + offset, piece, arrived))
            else:
                self._metrics.audio_seconds_gated.inc(seconds(part.count))
                records.append(Gap(self._session_id, self._next(), start, part.count, arrived))
        return records

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence - 1


def _gate_options(config: SessionConfig) -> GateOptions:
    return GateOptions(enabled=config.vad is not VadMode.OFF, hangover=config.endpoint_silence + GATE_MARGIN)
