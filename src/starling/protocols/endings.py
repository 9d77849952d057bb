"""Why a segment ended, for dialects that tell it."""

from __future__ import annotations

from starling.core.audio import FRAME, samples
from starling.core.config import SessionConfig
from starling.core.transcript import SpeechEnded


def ended_by_silence(ended: SpeechEnded | None, config: SessionConfig) -> bool:
    """Whether a segment ended because its speaker paused for long enough, and not by Finalize, a cut or the end of the audio."""
    if ended is None:
        return False
    silence = ended.noticed - ended.at
    waits = (config.endpoint_silence, min(config.finished_silence, config.endpoint_silence))
    return any(abs(silence - samples(wait)) <= 2 * FRAME for wait in waits)
