"""When to try again: soon at first, then less and less often, never all clients at once."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Final

from starling.core.backoff import jittered

FIRST: Final = 0.1
LONGEST: Final = 5.0
"""Seconds."""


def waits(chance: random.Random | None = None) -> Iterator[float]:
    """Seconds to wait before each attempt: up to 0.1, 0.2, 0.4 and so on to 5, at least half of that."""
    chance = chance or random.Random()  # noqa: S311  # nobody gains by guessing it
    for failures in itertools.count(1):
        yield jittered(failures, first=FIRST, longest=LONGEST, draw=chance.random())
