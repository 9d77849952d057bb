"""How fast one client may bring new lists of hot words, over all its sessions.

The engine compiles a list before the first final that needs it, which for the longest takes as much as a final or two, and keeps
what it compiled lately. So a list costs something when it is new, and a client that opens session after session, each with other
words, takes more than its share. Such a client is left unread for a while; sessions that share a list pay for it once.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from starling.core.hotwords import HotWord
from starling.gateway.buckets import BucketTable

PER_SECOND: Final = 1_000.0
"""New hot words of one API key, or of one address where no keys are asked for: some 0.14 s of CPU a second."""

BURST: Final = 20_000.0
"""New hot words that may come at a stroke: twenty of the longest lists, or two hundred sessions with a hundred each."""

KEPT: Final = 30_000
"""Hot words of the lists that engines are taken to have compiled already: those that were seen last."""


class Glossaries:
    """The lists that came lately. Pure: ``now`` is seconds. Lists are told apart by a salted hash, and not kept."""

    def __init__(self) -> None:
        self._buckets = BucketTable(PER_SECOND, BURST)
        self._known: OrderedDict[int, int] = OrderedDict()  # how many words are in it
        self._words = 0

    def charge(self, hotwords: tuple[HotWord, ...], whose: str, now: float) -> float:
        """A session of ``whose`` has ``hotwords`` from now on; the seconds for which its client is to be left unread."""
        if not hotwords:
            return 0.0
        known = self._knows(hotwords)
        return self._buckets.of(whose, now).take(0 if known else len(hotwords), now)

    def _knows(self, hotwords: tuple[HotWord, ...]) -> bool:
        """Whether the list came lately; now it did."""
        name = hash(hotwords)
        known = self._known.pop(name, None)
        self._known[name] = len(hotwords)
        self._words += len(hotwords) - (known or 0)
        while self._words > KEPT:
            self._words -= self._known.popitem(last=False)[1]
        return known is not None
