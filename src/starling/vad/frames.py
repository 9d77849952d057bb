"""What a detector must be sure of before it scores a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from starling.core.audio import FRAME, Frames
from starling.core.errors import IllegalTransition, UnsupportedAudio
from starling.core.ports import VadStream

Stream = TypeVar("Stream")


def checked(batch: Sequence[tuple[VadStream, Frames]], kind: type[Stream]) -> list[tuple[Stream, Frames]]:
    """The batch, once it is sure that it can be scored: nobody's state has changed when it is refused.

    Raises UnsupportedAudio when frames are not int16 ``[t >= 1, 512]``, IllegalTransition when a listener comes twice or is
    another detector's.
    """
    known: list[tuple[Stream, Frames]] = []
    for stream, frames in batch:
        if not isinstance(stream, kind):
            raise IllegalTransition(f"expected a stream that this detector created, got {type(stream).__name__}")
        if frames.dtype != np.int16 or len(frames) == 0 or frames.shape != (len(frames), FRAME):
            raise UnsupportedAudio(f"expected frames of int16 [t >= 1, {FRAME}], got {frames.dtype} {list(frames.shape)}")
        known.append((stream, frames))
    if len({id(stream) for stream, _ in known}) != len(known):
        raise IllegalTransition("a listener may come only once in a batch: join its frames")
    return known
