"""Witness in memory."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager

from starling.core.ports import Work


class MemoryWitness:
    """Witness in memory. ``in_hand``: the sessions that each kind of work is done for. ``suspected``: for tests to fill."""

    def __init__(self) -> None:
        self.in_hand: dict[Work, tuple[str, ...]] = {}
        self.suspected: set[str] = set()

    @contextmanager
    def watch(self, work: Work, session_ids: Sequence[str]) -> Iterator[None]:
        self.in_hand[work] = tuple(session_ids)
        try:
            yield
        finally:
            del self.in_hand[work]

    def suspects(self) -> Container[str]:
        return self.suspected
