"""A client's bytes become records of the audio log: decoded, then gated, cut and numbered. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from starling.audio import open_decoder
from starling.core.audio import Encoding, Samples, WaveLayout, seconds
from starling.core.config import SessionConfig
from starling.core.errors import ClientError, NotResumable
from starling.core.records import Audio, EndReason, Gap, SessionRecord, Tail
from starling.gateway.origin import Origin
from starling.protocols.verbs import OpenRequest
from starling.telemetry.metrics import Metrics
from starling.vad.gate import GateOptions
from starling.vad.gated import GatedAudio

SLICE: Final = 32_768
"""Bytes of PCM decoded at once: a second of it, or four at the lowest rate."""

PACKED: Final = frozenset({Encoding.OGG_OPUS, Encoding.WEBM_OPUS, Encoding.FLAC})
"""Encodings that a library unpacks, and in which a few bytes can be a lot of silence. The others are arithmetic."""

SMALL_SLICE: Final = 64
"""Bytes of these decoded at once: two of Opus can be 120 ms, a dozen of FLAC a second, so these can be several seconds."""


class Intake:
    """The way of one session's audio into the log. Raises UnsupportedAudio for a format that cannot be decoded.

    ``tail``: where another one stopped, whose way this one goes on with the client's bytes from ``tail.received`` on. ``wave``:
    what is known of a WAV header, here by that one, and as an attribute once it was read. Raises NotResumable where only the
    other one knows what came before: Opus. ``unpacking`` is entered for as long as a library decodes.
    """

    def __init__(
        self,
        session_id: str,
        request: OpenRequest,
        gate: GateOptions,
        metrics: Metrics,
        *,
        tail: Tail | None = None,
        wave: WaveLayout | None = None,
        unpacking: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._metrics = metrics
        self._audio = request.audio
        begun = tail is not None and tail.received > 0
        self.wave = wave if begun else None
        self._decoder = open_decoder(request.audio, self._lay_out, wave=self.wave, at=tail.received if tail else 0)
        self._origin = Origin.of(request.audio, self.wave)
        self._skip = 0  # samples that are on the log already
        self.taken = 0  # bytes that were decoded
        packed = request.audio.encoding in PACKED
        self._slice = SMALL_SLICE if packed else SLICE
        self._unpacking = unpacking if packed else nullcontext
        if tail is not None and (begun or request.audio.encoding is not Encoding.WAV):
            if self._origin is None:
                raise NotResumable(f"audio in {request.audio.encoding} cannot go on at another server; start a new session")
            self.taken = tail.received
            self._skip = tail.position - self._origin.position(tail.received)
        self._gated = GatedAudio(session_id, request.config, gate, received=self._received, tail=tail)

    @property
    def position(self) -> int:
        """Samples that came in so far, those the gate holds back included."""
        return self._gated.position

    def feed(self, data: bytes, arrived: float) -> Iterator[Sequence[SessionRecord]]:
        """The records that ``data`` completes, in steps short enough for an event loop. ``arrived``: when, in seconds.

        After what could be decoded, raises CorruptAudio or UnsupportedAudio.
        """
        for start in range(0, len(data), self._slice):
            piece = data[start : start + self._slice]
            with self._unpacking():
                decoded = self._decoder.feed(piece)
            samples = self._wanted(decoded)
            self.taken += len(piece)
            yield self._counted(self._gated.audio(samples, arrived))
            if self._decoder.fault is not None:
                raise self._decoder.fault

    def finalize(self, arrived: float) -> Sequence[SessionRecord]:
        """Everything held back by the gate, then Finalize."""
        return self._counted(self._gated.finalize(arrived))

    def configure(self, config: SessionConfig, arrived: float) -> Sequence[SessionRecord]:
        """Configure, preceded by everything held back if the gate must change with it."""
        return self._counted(self._gated.configure(config, arrived))

    def end(self, reason: EndReason, arrived: float) -> tuple[Sequence[SessionRecord], ClientError | None]:
        """The rest of the audio, then Ended; and what was wrong with the very end of it, if anything."""
        fault = self._decoder.fault
        records: list[SessionRecord] = []
        if fault is None:
            with self._unpacking():
                decoded = self._decoder.flush()
            samples = self._wanted(decoded)
            fault = self._decoder.fault
            records += self._gated.audio(samples, arrived)
        return self._counted([*records, *self._gated.end(reason, arrived)]), fault

    def _wanted(self, samples: Samples) -> Samples:
        skipped = min(self._skip, len(samples))
        self._skip -= skipped
        return samples[skipped:]

    def _received(self, position: int) -> int:
        if self._origin is not None:
            return self._origin.byte(position)
        return 0 if self._audio.encoding is Encoding.WAV else self.taken  # who goes on before its header is read reads it anew

    def _lay_out(self, wave: WaveLayout) -> None:
        self._origin = Origin.of(self._audio, wave)
        self.wave = wave

    def _counted(self, records: Sequence[SessionRecord]) -> Sequence[SessionRecord]:
        for record in records:
            if isinstance(record, Audio | Gap):
                duration = seconds(record.end - record.start)
                self._metrics.audio_seconds_in.inc(duration)
                if isinstance(record, Gap):
                    self._metrics.audio_seconds_gated.inc(duration)
        return records
