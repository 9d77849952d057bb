"""Whose bytes ended the gateway: who sent what was in hand when it failed, twice, is not unpacked for a while. Pure.

A gateway's sessions go on without it, but those whose bytes only it could go on with are over, so it is not a session that comes
back with the same bytes: it is whoever sends them, as a new one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from starling.supervisor.strikes import STRIKES

REMEMBERED: Final = 600.0
"""Seconds after which a strike is forgotten, and with it what it led to."""


class Bans:
    """Senders by the keys that sheets know them by. Bounded by the deaths of gateways in the time that is remembered."""

    def __init__(self) -> None:
        self._strikes: dict[int, tuple[int, float]] = {}  # count, and when the last one was

    def struck(self, in_hand: Iterable[int], now: float) -> list[int]:
        """The gateway failed by its own fault with these in hand; those that are out by that."""
        self.forget(now)
        out = []
        for key in dict.fromkeys(in_hand):
            count = self._strikes.get(key, (0, now))[0] + 1
            self._strikes[key] = count, now
            if count == STRIKES:
                out.append(key)
        return out

    def forget(self, now: float) -> bool:
        """Forget what is long ago; whether anybody is free again by that."""
        old = [key for key, (_, at) in self._strikes.items() if now - at >= REMEMBERED]
        freed = [key for key in old if self._strikes.pop(key)[0] >= STRIKES]
        return bool(freed)

    @property
    def banned(self) -> list[int]:
        """Who is out."""
        return [key for key, (count, _) in self._strikes.items() if count >= STRIKES]
