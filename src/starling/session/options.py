"""How speech is cut into segments."""

from __future__ import annotations

from dataclasses import dataclass

from starling.core.audio import FRAME, samples, seconds, whole_frames
from starling.core.errors import InvalidOption
from starling.core.ports import Capabilities


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentationOptions:
    """Policy of one recognizer; what a client may choose is in SessionConfig.

    ``onset_threshold``, ``offset_threshold``: speech probability (0 to 1) at which speech may begin, and below which it pauses.
    ``min_speech``: seconds of speech that open a segment. ``pre_roll``, ``tail``: seconds of audio decoded before and after the
    speech. ``max_segment``: seconds after which a segment is cut at its least voiced point, looked for after ``min_segment``.
    ``first_partial``: seconds of speech before the first partial. ``idle_checkpoint``: seconds of silence between checkpoints.
    ``nonspeech_guard``: withhold texts that nobody can have said.
    """

    onset_threshold: float = 0.5
    offset_threshold: float = 0.35
    min_speech: float = 0.09
    pre_roll: float = 0.3
    tail: float = 0.25
    max_segment: float = 18.0
    min_segment: float = 10.0
    first_partial: float = 0.25
    idle_checkpoint: float = 5.0
    nonspeech_guard: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.offset_threshold <= self.onset_threshold < 1:
            raise InvalidOption(
                f"expected 0 < offset_threshold <= onset_threshold < 1, got {self.offset_threshold} and {self.onset_threshold}"
            )
        if not 0 < self.min_segment <= self.max_segment - seconds(3 * FRAME):
            raise InvalidOption(
                f"min_segment must be positive and at least {seconds(3 * FRAME)} s below max_segment, to leave a place to cut, "
                f"got {self.min_segment} and {self.max_segment}"
            )
        if samples(self.idle_checkpoint) <= self.look_back + FRAME:
            raise InvalidOption(f"idle_checkpoint must exceed pre_roll, got {self.idle_checkpoint} and {self.pre_roll}")

    def check_fits(self, engine: Capabilities) -> None:
        """Raise InvalidOption unless ``engine`` takes the longest segment."""
        longest, limit = self.max_segment + self.pre_roll, seconds(engine.max_utterance)
        if longest > limit:
            raise InvalidOption(
                f"segments of {longest:g} s are longer than the {limit:g} s that {engine.model} takes; "
                "lower segmentation.max_segment"
            )

    @property
    def look_back(self) -> int:
        """``pre_roll`` in samples, in whole frames: listening that starts afresh so far back cuts its frames where it did."""
        return whole_frames(self.pre_roll)

    @property
    def longest_uncommitted(self) -> float:
        """Seconds of audio that may be heard after a checkpoint until the next: silence, the segment in it, and two frames.

        An audio log whose sessions may be less far ahead would wait for a commit that waits for audio.
        """
        return self.idle_checkpoint + self.max_segment + seconds(2 * FRAME)
