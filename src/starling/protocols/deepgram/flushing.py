"""Which final answers a client's Finalize. Pure; positions are samples."""

from __future__ import annotations

from typing import Final

from starling.core.audio import samples
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
