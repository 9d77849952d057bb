"""Which final answers a client's Finalize, and which one a pause brought. Pure; positions are samples."""

from __future__ import annotations

from typing import Final

from starling.core.audio import FRAME, samples
from starling.core.config import SessionConfig
from starling.core.transcript import SpeechEnded, Transcript

NEARBY: Final = samples(0.1)
"""How far what the gateway has decoded may lag behind the bytes that came: resampling filters are shorter."""


class Flush:
    """The last Finalize, until it is answered, or turns out to have found nothing to end."""

    def __init__(self) -> None:
        self._pending = False
        self._at: int | None = None

    def asked(self, received: int | None) -> None:
        """By when ``received`` samples had come; None where nobody can tell from the bytes."""
        self._pending, self._at = True, received

    def answered(self, final: Transcript, ended: SpeechEnded | None, *, by_silence: bool) -> bool:
        """Whether ``final`` is the answer; its segment ended as ``ended`` says."""
        if not self._pending or ended is None:
            return False
        if self._at is not None and final.start >= self._at:
            self._pending = False
            return False
        if by_silence if self._at is None else ended.noticed + NEARBY < self._at:
            return False
        self._pending = False
        return True


def ended_by_silence(ended: SpeechEnded | None, config: SessionConfig) -> bool:
    """Whether a segment ended because its speaker paused for long enough, and not by Finalize, a cut or the end of the audio."""
    if ended is None:
        return False
    silence = ended.noticed - ended.at
    waits = (config.endpoint_silence, min(config.finished_silence, config.endpoint_silence))
    return any(abs(silence - samples(wait)) <= 2 * FRAME for wait in waits)
