"""Speech scores for many sessions at once, when the detector may raise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from starling.core.audio import Frames
from starling.core.errors import ServerError
from starling.core.ports import Probabilities, Vad, VadStream
from starling.telemetry.logs import get_logger

log = get_logger(__name__)

Batch: TypeAlias = Sequence[tuple[VadStream, Frames]]


def score(vad: Vad, batch: Batch) -> list[Probabilities | ServerError]:
    """For each listener the scores of its frames, or why there are none. Blocks.

    Where the detector raises, each listener is scored again by itself. Its state may then have heard the frames twice, which
    shifts a score by little; to lose every session of the batch would be worse.
    """
    try:
        return [*_complete(vad, batch)]
    except Exception as error:
        if len(batch) > 1:
            return [scores for listener in batch for scores in score(vad, [listener])]
        log.exception("detector failed")
        return [ServerError(f"the speech detector failed ({type(error).__name__}); start a new session")]


def _complete(vad: Vad, batch: Batch) -> list[Probabilities]:
    scores = vad.score(batch)
    expected, got = [len(frames) for _, frames in batch], [len(heard) for heard in scores]
    if got != expected:
        raise ServerError(f"expected scores of {expected} frames, got {got}")
    return scores
