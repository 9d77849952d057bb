"""Witness in memory."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Lock

from starling.core.ports import Work


class MemoryWitness:
    """Witness in memory. ``in_hand``: the sessions that each kind of work is done for. ``suspected``: for tests to fill."""

    def __init__(self) -> None:
        self.in_hand: dict[Work, tuple[str, ...]] = {}
        self.suspected: set[str] = set()
        self._suspect_in_hand = Lock()

    @contextmanager
    def watch(self, work: Work, session_ids: Sequence[str]) -> Iterator[None]:
        with nullcontext() if self.suspected.isdisjoint(session_ids) else self._suspect_in_hand:
            self.in_hand[work] = tuple(session_ids)
            try:
                yield
            finally:
                del self.in_hand[work]

    def reading(self, whose: str) -> AbstractContextManager[None]:
        return _Reading(self.in_hand, whose)

    def suspects(self) -> Container[str]:
        return self.suspected


class _Reading(AbstractContextManager[None]):
    def __init__(self, in_hand: dict[Work, tuple[str, ...]], whose: str) -> None:
        self._in_hand = in_hand
        self._whose = whose

    def __enter__(self) -> None:
        self._in_hand[Work.READ] = (self._whose,)

    def __exit__(self, *_: object) -> None:
        self._in_hand.pop(Work.READ, None)
