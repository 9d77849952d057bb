"""When to try again: soon at first, then less and less often, never all clients at once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

FIRST: Final = 0.1
LONGEST: Final = 5.0
"""Seconds."""


def waits(chance: random.Random | None = None) -> Iterator[float]:
    """Seconds to wait before each attempt: up to 0.1, 0.2, 0.4 and so on to 5, at least half of that."""
    chance = chance or random.Random()  # noqa: S311  # nobody gains by guessing it
    longest = FIRST
    while True:
        yield chance.uniform(longest / 2, longest)
        longest = min(LONGEST, 2 * longest)
