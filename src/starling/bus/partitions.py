"""Which partition a session is in, and how many of them each recognizer takes. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterable


def partition_of(session_id: str, partitions: int) -> int:
    """The same on every host and in every version: 0 to ``partitions`` - 1."""
    return zlib.crc32(session_id.encode()) % partitions


def share(partitions: int, members: Iterable[str], member: str) -> int:
    """How many of ``partitions`` are ``member``'s: the same for all, one more for the first of them by name; 0 for a stranger.

    The shares of all members add up to ``partitions``, so who gives up what is above its share makes room for all others.
    """
    ranks = sorted(set(members))
    if member not in ranks:
        return 0
    each, over = divmod(partitions, len(ranks))
    return each + (ranks.index(member) < over)
