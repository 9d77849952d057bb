"""Who may share a call into a model with whom."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import Final, TypeVar

from starling.core.ports import MOST_WITNESSED

T = TypeVar("T")

TOGETHER: Final = MOST_WITNESSED
"""Sessions that share one call at most: as many as a witness can name."""


def apart(items: Iterable[T], session_of: Callable[[T], str], suspects: Container[str]) -> list[list[T]]:
    """``items`` in groups for one call each: those of a suspect alone, the others together in the order given.

    If a call ends the process, its witness then knows who did it, and a session that merely was there is not blamed twice.
    """
    alone: list[list[T]] = []
    shared: list[T] = []
    for item in items:
        if session_of(item) in suspects:
            alone.append([item])
        else:
            shared.append(item)
    return [shared[start : start + TOGETHER] for start in range(0, len(shared), TOGETHER)] + alone
