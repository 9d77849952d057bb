"""A client's bytes become records of the audio log: decoded, then gated, cut and numbered. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from starling.audio import open_decoder
from starling.core.audio import Encoding, seconds
from starling.core.config import SessionConfig
from starling.core.errors import ClientError
from starling.core.records import Audio, EndReason, Gap, Record
from starling.protocols.verbs import OpenRequest
from starling.telemetry.metrics import Metrics
from starling.vad.gate import GateOptions
from starling.vad.gated import GatedAudio

SLICE: Final = 32_768
"""Bytes of PCM decoded at once: a second of it, or four at the lowest rate."""

OPUS_SLICE: Final = 64
"""Bytes of Opus decoded at once: two of them can be 120 ms of silence, so these can be several seconds of it."""


class Intake:
    """The way of one session's audio into the log. Raises UnsupportedAudio for a format that cannot be decoded."""

    def __init__(self, session_id: str, request: OpenRequest, gate: GateOptions, metrics: Metrics) -> None:
        self._metrics = metrics
        self._decoder = open_decoder(request.audio)
        self._slice = OPUS_SLICE if request.audio.encoding in {Encoding.OGG_OPUS, Encoding.WEBM_OPUS} else SLICE
        self._gated = GatedAudio(session_id, request.config, gate)

    @property
    def position(self) -> int:
        """Samples that came in so far, those the gate holds back included."""
        return self._gated.position

    def feed(self, data: bytes, arrived: float) -> Iterator[Sequence[Record]]:
        """The records that ``data`` completes, in steps short enough for an event loop. ``arrived``: when, in seconds.

        After what could be decoded, raises CorruptAudio or UnsupportedAudio.
        """
        for start in range(0, len(data), self._slice):
            samples = self._decoder.feed(data[start : start + self._slice])
            yield self._counted(self._gated.audio(samples, arrived))
            if self._decoder.fault is not None:
                raise self._decoder.fault

    def finalize(self, arrived: float) -> Sequence[Record]:
        """Everything held back by the gate, then Finalize."""
        return self._counted(self._gated.finalize(arrived))

    def configure(self, config: SessionConfig, arrived: float) -> Sequence[Record]:
        """Configure, preceded by everything held back if the gate must change with it."""
        return self._counted(self._gated.configure(config, arrived))

    def end(self, reason: EndReason, arrived: float) -> tuple[Sequence[Record], ClientError | None]:
        """The rest of the audio, then Ended; and what was wrong with the very end of it, if anything."""
        fault = self._decoder.fault
        records: list[Record] = []
        if fault is None:
            samples = self._decoder.flush()
            fault = self._decoder.fault
            records += self._gated.audio(samples, arrived)
        return self._counted([*records, *self._gated.end(reason, arrived)]), fault

    def _counted(self, records: Sequence[Record]) -> Sequence[Record]:
        for record in records:
            if isinstance(record, Audio | Gap):
                duration = seconds(record.end - record.start)
                self._metrics.audio_seconds_in.inc(duration)
                if isinstance(record, Gap):
                    self._metrics.audio_seconds_gated.inc(duration)
        return records
