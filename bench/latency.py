"""Latencies as a client meets them, against the moments at which its audio was due.

A chunk is *due* when a microphone would have handed it out, that is when its last sample was recorded. All latencies count from
there, whenever the chunk really left: a server that slows its client down, or a load generator that is late, gains nothing by it
(Gil Tene calls the opposite coordinated omission).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from starling.core.audio import FRAME, SAMPLE_RATE, samples
from starling.protocols.native.messages import Result, ServerMessage, SpeechEnded


@dataclass(frozen=True, slots=True)
class Schedule:
    """When each chunk of a session is due. ``began``: when its first sample was recorded. ``chunk``, ``total``: samples."""

    began: float
    chunk: int
    total: int

    def due(self, position: int) -> float:
        """When all samples before ``position`` were handed out."""
        chunks = -(-min(position, self.total) // self.chunk)
        return self.began + chunks * self.chunk / SAMPLE_RATE

    @property
    def over(self) -> float:
        return self.due(self.total)


@dataclass(slots=True)
class Latencies:
    """Seconds, of many segments.

    ``first``: from the onset of speech to the first partial. ``partial``: from the newest audio that a partial covers. ``gap``:
    between two partials of a segment. ``compute``: from the audio that decided the endpoint to the final. ``settled``: from the
    end of speech to the final.
    """

    first: list[float] = field(default_factory=list)
    partial: list[float] = field(default_factory=list)
    gap: list[float] = field(default_factory=list)
    compute: list[float] = field(default_factory=list)
    settled: list[float] = field(default_factory=list)
    words: int = 0

    @property
    def waits(self) -> list[float]:
        """From the end of speech to the audio that decided the endpoint."""
        return [settled - compute for settled, compute in zip(self.settled, self.compute, strict=True)]

    def add(self, other: Latencies) -> None:
        """Take in the latencies of another session."""
        self.first += other.first
        self.partial += other.partial
        self.gap += other.gap
        self.compute += other.compute
        self.settled += other.settled
        self.words += other.words


class Listener:
    """Times the messages of one session of the native protocol.

    The protocol does not say which audio decided an endpoint, but two samples can have: the one with which silence had lasted
    ``endpoint_silence`` seconds, and the one with which the segment was ``max_segment`` seconds long. The latter did if
    ``speech_ended`` came that late. If it came before either, the server was sooner than its rule, and its coming counts.
    What the end of the session decided is not timed: all sessions end at once here, as they never do.
    """

    def __init__(self, schedule: Schedule, *, endpoint_silence: float, max_segment: float) -> None:
        self.latencies = Latencies()
        self._schedule = schedule
        self._silence = frames(endpoint_silence)
        self._longest = frames(max_segment)
        self._ended: list[float] = []  # when speech_ended came, by segment
        self._partials: dict[int, float] = {}  # when the last partial of a segment came

    def hear(self, message: ServerMessage, at: float) -> None:
        """Take a message that came at time ``at``."""
        match message:
            case SpeechEnded():
                self._ended.append(at)
            case Result(is_final=True):
                self._final(message, at)
            case Result():
                self._partial(message, at)

    def _partial(self, result: Result, at: float) -> None:
        before = self._partials.get(result.segment_id)
        if before is None:
            self.latencies.first.append(at - self._schedule.due(samples(result.start) + 1))
        else:
            self.latencies.gap.append(at - before)
        self.latencies.partial.append(at - self._schedule.due(samples(result.end)))
        self._partials[result.segment_id] = at

    def _final(self, result: Result, at: float) -> None:
        schedule = self._schedule
        noticed = self._ended[result.segment_id]
        self._partials.pop(result.segment_id, None)
        self.latencies.words += len(result.text.split())
        if noticed >= schedule.over:
            return
        cut = schedule.due(samples(result.start) + self._longest)
        decided = cut if noticed >= cut else min(noticed, schedule.due(samples(result.end) + self._silence))
        self.latencies.compute.append(at - decided)
        self.latencies.settled.append(at - schedule.due(samples(result.end)))


def frames(seconds: float) -> int:
    """The samples of as many whole frames as ``seconds`` take: speech is judged by frames."""
    return -(-samples(seconds) // FRAME) * FRAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Percentiles of latencies in milliseconds; None of none. ``count``: how many there were."""

    p50: int | None
    p95: int | None
    p99: int | None
    count: int


def spread(seconds: Sequence[float]) -> Spread:
    """The percentiles of ``seconds``, linearly interpolated."""
    if not seconds:
        return Spread(p50=None, p95=None, p99=None, count=0)
    p50, p95, p99 = (round(1000 * value) for value in np.percentile(seconds, (50, 95, 99)).tolist())
    return Spread(p50=p50, p95=p95, p99=p99, count=len(seconds))
