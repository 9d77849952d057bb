"""What a session asks its owner to do, in the order given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from starling.core.audio import Frames, Samples
from starling.core.config import VadMode
from starling.core.ports import StreamOptions
from starling.core.records import Checkpoint
from starling.core.transcript import SessionEvent
from starling.session.nonspeech import Nonspeech


@dataclass(frozen=True, slots=True)
class Listen:
    """Score ``frames`` and call ``Session.hear``. ``fresh``: forget what the detector heard before."""

    frames: Frames
    mode: VadMode
    fresh: bool


@dataclass(frozen=True, slots=True)
class Begin:
    """Create the engine stream of segment ``segment_id``."""

    segment_id: int
    options: StreamOptions


@dataclass(frozen=True, slots=True)
class Feed:
    """Give ``samples`` to the segment's stream."""

    segment_id: int
    samples: Samples


@dataclass(frozen=True, slots=True)
class DecodePartial:
    """Decode what the segment's stream has, when there is time, and call ``Session.decoded``."""

    segment_id: int


@dataclass(frozen=True, slots=True)
class DecodeFinal:
    """The segment's speech ends after ``end`` samples of its stream: finish it, decode it, call ``Session.decoded``."""

    segment_id: int
    end: int


@dataclass(frozen=True, slots=True)
class Deliver:
    """Publish ``event``."""

    event: SessionEvent


@dataclass(frozen=True, slots=True)
class Settled:
    """The final of segment ``segment_id`` is delivered: count it. ``withheld``: why a text was not, if one was not."""

    segment_id: int
    words: int
    withheld: Nonspeech | None


@dataclass(frozen=True, slots=True)
class Commit:
    """Nothing before ``checkpoint`` is needed again."""

    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class Finish:
    """The session is over."""


Command: TypeAlias = Listen | Begin | Feed | DecodePartial | DecodeFinal | Deliver | Settled | Commit | Finish
