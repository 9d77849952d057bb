"""Speech that brings no text: a detector, an engine or a guard is wrong, or somebody sends music."""

from __future__ import annotations

from typing import Final

PATIENCE: Final = 23.0
"""Seconds of speech, and of waiting, without a word. Must exceed the longest segment: with partials off that is all one hears."""


class Watchdog:
    """Watches one session. Times are a clock's seconds.

    Both must have passed without text: ``patience`` seconds of audio that the detector takes for speech, and as many on the
    clock. So it is silent about a client that sends a recording faster than it can be read.
    """

    __slots__ = ("_patience", "_since", "_speech")

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._speech = 0.0
        self._since: float | None = None

    def heard(self, speech: float, now: float) -> bool:
        """Take ``speech`` more seconds of it. Says whether it is time for a warning, which starts the wait for the next one."""
        if speech <= 0:
            return False
        if self._since is None:
            self._since = now
        self._speech += speech
        if self._speech < self._patience or now - self._since < self._patience:
            return False
        self.said()
        return True

    def said(self) -> None:
        """There is text."""
        self._speech = 0.0
        self._since = None
