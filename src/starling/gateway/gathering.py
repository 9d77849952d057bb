"""What clients send, worked through for many of them in a row.

Between two pieces of audio a model computes and takes the processor's caches for itself, so the first piece after it costs about
twice what the next ones do. Where many speak, those that arrive within a moment share that cost (decision 0302).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

TICK: Final = 0.04
"""Seconds between two rows, when many speak."""

MANY: Final = 15
"""Sessions besides the first for which a whole tick is waited."""


class Turn:
    """One client's turn in the next row."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call: Callable[[], None] | None = call

    def take(self) -> None:
        """Now, unless it was cancelled or taken before."""
        call, self._call = self._call, None
        if call is not None:
            call()

    def cancel(self) -> None:
        """It is not wanted any more."""
        self._call = None


class Gathering:
    """Calls that can wait a little, made in rows. ``sessions``: how many are open now. Make it where the event loop runs."""

    def __init__(self, sessions: Callable[[], int]) -> None:
        self._sessions = sessions
        self._waiting: list[Turn] = []

    def turn(self, call: Callable[[], None]) -> Turn | None:
        """``call`` will be made in the next row; None if it had better be made now, since who is alone waits for nobody."""
        pause = TICK * min(1.0, (self._sessions() - 1) / MANY)
        if pause <= 0:
            return None
        turn = Turn(call)
        self._waiting.append(turn)
        if len(self._waiting) == 1:
            loop = asyncio.get_running_loop()
            loop.call_at((loop.time() // pause + 1) * pause, self._take)
        return turn

    def _take(self) -> None:
        waiting, self._waiting = self._waiting, []
        loop = asyncio.get_running_loop()
        for turn in waiting:
            loop.call_soon(turn.take)
