"""Real time for recordings: hand out each chunk when a microphone would have."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator

import numpy as np

from starling.core.audio import SAMPLE_RATE, Samples

CHUNK = SAMPLE_RATE // 10
"""Samples in one chunk on its way to the server: 100 ms, as the browser console sends them."""


def rechunk(pieces: Iterable[Samples], size: int = CHUNK) -> Iterator[Samples]:
    """The same samples cut into chunks of ``size``; only the last may be shorter. ``size`` is at least 1."""
    rest = np.empty(0, np.int16)
    for piece in pieces:
        joined = np.concatenate((rest, piece)) if len(rest) else piece
        whole = len(joined) - len(joined) % size
        for start in range(0, whole, size):
            yield joined[start : start + size]
        rest = joined[whole:]
    if len(rest):
        yield rest


async def paced(
    chunks: AsyncIterable[Samples],
    *,
    speed: float = 1.0,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[Samples]:
    """Each chunk at the moment its last sample would have been recorded, ``speed`` times as fast as real time.

    Due times count from the first call, so a late chunk does not delay those after it. ``speed`` 0 does not wait, but lets other
    tasks run. Raises ValueError for a negative speed.
    """
    if speed < 0:
        raise ValueError(f"speed must be 0 (do not wait) or more, got {speed:g}")
    began = now()
    position = 0
    async for chunk in chunks:
        position += len(chunk)
        due = began + position / (SAMPLE_RATE * speed) if speed else began
        await sleep(max(0.0, due - now()))
        yield chunk
