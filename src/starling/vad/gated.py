"""A session's samples and controls become records of the audio log: gated, cut into pieces, numbered. No I/O.

The gateway and the library both write records through this, so that they recognise the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from starling.core.audio import FRAME, SAMPLE_RATE, Samples
from starling.core.config import SessionConfig
from starling.core.records import Audio, Configure, Ended, EndReason, Finalize, Gap, SessionRecord, Tail
from starling.vad.gate import GateOptions, GatePart, Passed, SilenceGate

PIECE: Final = SAMPLE_RATE
"""Samples of one Audio record at most, so that back-pressure acts within a second of sound."""


class GatedAudio:
    """One session's way to the log, from ``config`` on. ``arrived`` is everywhere the clock's time, in seconds, of the cause.

    ``received``: the bytes that the samples before a position came from. ``tail``: where another one stopped whose way this one
    goes on; the gate starts open, so that what the other one heard of silence is not missed.
    """

    def __init__(
        self,
        session_id: str,
        config: SessionConfig,
        options: GateOptions,
        *,
        received: Callable[[int], int] = lambda _: 0,
        tail: Tail | None = None,
    ) -> None:
        self._session_id = session_id
        self._options = options
        self._chosen = options.suited_to(config)
        self._gate = SilenceGate(self._chosen)
        self._base = 0  # position of the session at which the gate counts 0
        self._sequence = 0
        self.position = 0  # samples that came in, those the gate holds back included
        self._received = received
        if tail is not None:
            self.position, self._sequence = tail.position, tail.sequence + 1
            self._renew(self._chosen)
        self._told = self.position  # of these, what is on the log

    def audio(self, samples: Samples, arrived: float = 0.0) -> list[Audio | Gap]:
        """What can be told of the audio up to ``samples`` (int16 ``[n]``)."""
        self.position += len(samples)
        return self._records(self._gate.feed(samples), arrived)

    def finalize(self, arrived: float = 0.0) -> list[SessionRecord]:
        """Everything held back, then Finalize."""
        records = self._flushed(arrived)
        return [*records, Finalize(self._session_id, self._next(), self._received(self._told))]

    def configure(self, config: SessionConfig, arrived: float = 0.0) -> list[SessionRecord]:
        """Configure, preceded by everything held back if the gate must change with it."""
        records: list[SessionRecord] = []
        if (suited := self._options.suited_to(config)) != self._chosen:
            records += self._flushed(arrived)
            self._renew(suited)
        return [*records, Configure(self._session_id, self._next(), config, self._received(self._told))]

    def end(self, reason: EndReason = EndReason.CLIENT, arrived: float = 0.0) -> list[SessionRecord]:
        """Everything held back, then Ended."""
        records: list[SessionRecord] = [*self._flushed(arrived)]
        return [*records, Ended(self._session_id, self._next(), reason, self._received(self._told))]

    def _flushed(self, arrived: float) -> list[Audio | Gap]:
        return self._records(self._gate.flush(), arrived)

    def _renew(self, options: GateOptions) -> None:
        """A new gate on the old one's frame boundaries: what it hears of the broken frame before it is silence."""
        self._chosen = options
        self._gate = SilenceGate(options)
        broken = self.position % FRAME
        self._base = self.position - broken
        self._gate.feed(np.zeros(broken, np.int16))
        self._gate.flush()  # told by the old one

    def _records(self, parts: Sequence[GatePart], arrived: float) -> list[Audio | Gap]:
        records: list[Audio | Gap] = []
        for part in parts:
            start = self._base + part.start
            if isinstance(part, Passed):
                for offset in range(0, len(part.samples), PIECE):
                    piece = part.samples[offset : offset + PIECE]
                    self._told = start + offset + len(piece)
                    received = self._received(self._told)
                    records.append(Audio(self._session_id, self._next(), start + offset, piece, arrived, received))
            else:
                self._told = start + part.count
                records.append(Gap(self._session_id, self._next(), start, part.count, arrived, self._received(self._told)))
        return records

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence - 1
