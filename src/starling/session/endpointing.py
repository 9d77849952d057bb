"""Where speech starts and ends, from the speech probability of each frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, TypeAlias

from starling.core.audio import FRAME, samples
from starling.session.options import SegmentationOptions


@dataclass(frozen=True, slots=True)
class Onset:
    """Speech began at ``at``."""

    at: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Speech ended at ``speech_end``. Listening goes on afresh from ``restart``: nothing before it is needed for what comes."""

    speech_end: int
    restart: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Speech paused at ``speech_end``, for so long that it has ended if what was said looks finished: ``Endpointer.end`` says so.

    Otherwise listening goes on.
    """

    speech_end: int


@dataclass(frozen=True, slots=True)
class Idle:
    """Silence lasted long enough to forget what lies before ``restart``."""

    restart: int


COUNTED_PAUSE: Final = samples(0.25)
"""How much of a pause tells something of what is voiced around it: with patient endpointing pauses may be most of a segment."""

Decision: TypeAlias = Onset | Pause | Endpoint | Idle


class Endpointer:
    """Listens from ``start`` to the next point from which listening can start afresh, frame by frame.

    A hysteresis of two thresholds and a minimum of speech against false starts; silence of ``endpoint_silence`` samples ends a
    segment, and one that grows too long is cut at its least voiced point. Silence of ``finished_silence`` samples, where that is
    less, asks once in each pause whether to end it already. After an Endpoint or Idle it is spent: the next one
    starts at ``restart`` and knows nothing of this one, which is what makes replay from there exact.
    """

    __slots__ = (
        "_candidate", "_endpoint_silence", "_finished_silence", "_first_cut", "_heard", "_least_voiced", "_onset", "_options",
        "_place", "_probabilities", "_start", "_voiced_end", "position", "voicing",
    )  # fmt: skip

    def __init__(
        self, start: int, endpoint_silence: int, options: SegmentationOptions, finished_silence: int | None = None
    ) -> None:
        self.position = start
        self._start = start
        self._endpoint_silence = endpoint_silence
        # Whether the text looks finished is judged from its final reading, which wants the tail.
        self._finished_silence = endpoint_silence if finished_silence is None else max(finished_silence, samples(options.tail))
        self._options = options
        self._candidate: int | None = None
        self._onset: int | None = None
        self._voiced_end = start
        self._probabilities: list[float] = []
        self._heard = (0.0, 0)  # sum and count of the probabilities that voicing is the mean of
        self.voicing = 0.0
        """Mean speech probability (0 to 1) up to the last voiced frame; of a pause only ``COUNTED_PAUSE`` counts."""
        self._first_cut = 0
        self._place = 0
        self._least_voiced = math.inf

    @property
    def speaking(self) -> bool:
        """Whether a segment is open."""
        return self._onset is not None

    @property
    def candidate(self) -> int | None:
        """Where speech may be starting, while that is not yet sure."""
        return self._candidate if self._onset is None else None

    @property
    def voiced_end(self) -> int:
        """Where the last speech heard ended."""
        return self._voiced_end

    @property
    def firm(self) -> int:
        """No cut of the open segment will be before this position, wherever it has to be cut; it only grows."""
        return self.position - (len(self._probabilities) - self._place - 1) * FRAME

    def hear(self, probability: float) -> Decision | None:
        """Take the speech probability (0 to 1) of the next frame."""
        frame_start, self.position = self.position, self.position + FRAME
        decision = self._wait(frame_start, probability) if self._onset is None else self._speak(probability)
        self._weigh(frame_start, probability)
        return decision

    def _weigh(self, frame_start: int, probability: float) -> None:
        if self._candidate == frame_start or (self._candidate is None and self._onset is None):
            self._heard = (0.0, 0)
        if frame_start - self._voiced_end < COUNTED_PAUSE:
            total, count = self._heard
            self._heard = (total + probability, count + 1)
            if self._voiced_end == self.position:
                self.voicing = self._heard[0] / self._heard[1]

    def _wait(self, frame_start: int, probability: float) -> Decision | None:
        threshold = self._options.onset_threshold if self._candidate is None else self._options.offset_threshold
        if probability < threshold:
            self._candidate = None
            waited = self.position - self._start
            return Idle(self.position - self._options.look_back) if waited >= samples(self._options.idle_checkpoint) else None
        if self._candidate is None:
            self._candidate = frame_start
        self._voiced_end = self.position
        if self.position - self._candidate < samples(self._options.min_speech):
            return None
        self._onset = self._candidate
        left = samples(self._options.max_segment) - (self.position - self._onset)
        window = samples(self._options.max_segment) - samples(self._options.min_segment)
        self._first_cut = max(0, -(-left // FRAME) - window // FRAME)
        self._place = self._first_cut + 1
        return Onset(self._onset)

    def _speak(self, probability: float) -> Decision | None:
        assert self._onset is not None
        self._probabilities.append(probability)
        self._consider_cut()
        if probability >= self._options.offset_threshold:
            self._voiced_end = self.position
        elif self.position - self._voiced_end >= self._endpoint_silence:
            return self.end()
        if self.position - self._onset >= samples(self._options.max_segment):
            return self._cut()
        if 0 <= self.position - self._voiced_end - self._finished_silence < FRAME:
            return Pause(self._voiced_end)
        return None

    def end(self) -> Endpoint:
        """The end of speech where it paused last."""
        # Go on a little before the present, so that speech which starts at once keeps its pre-roll.
        quiet_from = self._voiced_end + samples(self._options.tail)
        restart = min(self.position, max(quiet_from, self.position - self._options.look_back))
        return Endpoint(self._voiced_end, restart)

    def _consider_cut(self) -> None:
        """See whether the last frame but one is the least voiced so far at which the segment may be cut."""
        place = len(self._probabilities) - 2
        if place > self._first_cut:
            voiced = sum(self._probabilities[-3:])
            if voiced <= self._least_voiced:
                self._least_voiced, self._place = voiced, place

    def _cut(self) -> Endpoint:
        """End the segment where the speech probability, averaged over three frames, is lowest; at the last such place."""
        cut = self.firm
        before = self._probabilities[: self._place + 1]
        quiet = next((i for i, p in enumerate(reversed(before)) if p >= self._options.offset_threshold), len(before))
        return Endpoint(cut - quiet * FRAME, cut)


ENDS: Final = (".", "!", "?")

SURE: Final = 0.9
"""Confidence from which a text that ends like a sentence has ended like one; see docs/decisions/0052."""


def finished(text: str, confidence: float | None) -> bool:
    """Whether the final reading of all that was said up to a pause looks like the end of a sentence."""
    return text.endswith(ENDS) and not text.endswith("..") and (confidence or 0.0) >= SURE
