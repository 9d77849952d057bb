"""What is asked of whoever hears a recording, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass

from starling.core.config import SessionConfig
from starling.core.jobs import Channels, JobSegment
from starling.core.records import Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What to make of a recording. ``checkpoints``: by channel, where an earlier attempt got to.

    ``max_duration``: seconds of sound it may have, whatever its header says.
    """

    job_id: str
    config: SessionConfig
    channels: Channels = Channels.MIXED
    checkpoints: tuple[Checkpoint | None, ...] = ()
    max_duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found in ``channel``; ``checkpoint``: from where its rest is found, and nothing of this again."""

    channel: int
    segments: tuple[JobSegment, ...]
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """``done``: seconds that all channels were listened to by now. ``taken``: seconds of sound there were until now.

    ``found``: what is new, in the order of finding.
    """

    done: float
    taken: float
    found: tuple[Found, ...]
