"""Whether a process beside the server still lives, by its signs of life. Pure."""

from __future__ import annotations

from typing import Final

LOOK: Final = 1.0
"""Seconds between two looks. Looks are counted, not seconds: whoever looks may have stood still itself, as the machine did."""

PATIENCE: Final = 20
"""Looks in a row without a sign of life, after which a process is taken for hung."""

BEGINNING: Final = 300
"""The same before its first: it is still being started."""


class Pulse:
    """Of one process from its start on. A sign of life is another number than before; 0 is none yet."""

    def __init__(self) -> None:
        self._last = 0
        self._looks = 0

    def hung(self, beat: int) -> bool:
        """One look, at ``beat``: whether it was silent for too long."""
        self._looks = 0 if beat != self._last else self._looks + 1
        self._last = beat
        return self._looks >= (PATIENCE if beat else BEGINNING)
