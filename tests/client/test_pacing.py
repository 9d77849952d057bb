"""Pacing on a virtual clock: nothing here waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starling.client.pacing import CHUNK, paced, rechunk
from starling.core.audio import SAMPLE_RATE, Samples


class VirtualTime:
    def __init__(self) -> None:
        self.at = 100.0

    def now(self) -> float:
        return self.at

    async def sleep(self, duration: float) -> None:
        assert duration >= 0
        self.at += duration


def silence(count: int) -> Samples:
    return np.zeros(count, np.int16)


async def each(chunks: Iterable[Samples]) -> AsyncIterator[Samples]:
    for chunk in chunks:
        yield chunk


def arrivals(chunks: Iterable[Samples], *, speed: float, work: float = 0.0) -> list[float]:
    """When each chunk came, in seconds from the start, if handling one takes ``work`` seconds."""
    time = VirtualTime()

    async def listen() -> list[float]:
        came = []
        async for _ in paced(each(chunks), speed=speed, now=time.now, sleep=time.sleep):
            came.append(time.at - 100.0)
            time.at += work
        return came

    return asyncio.run(listen())


def test_a_chunk_comes_when_its_last_sample_was_recorded() -> None:
    assert arrivals([silence(CHUNK)] * 3, speed=1.0) == pytest.approx([0.1, 0.2, 0.3])


def test_double_speed_takes_half_the_time() -> None:
    assert arrivals([silence(SAMPLE_RATE)] * 2, speed=2.0) == pytest.approx([0.5, 1.0])


def test_speed_nought_does_not_wait() -> None:
    assert arrivals([silence(SAMPLE_RATE)] * 4, speed=0) == [0, 0, 0, 0]


def test_slow_work_does_not_add_up_to_drift() -> None:
    assert arrivals([silence(CHUNK)] * 5, speed=1.0, work=0.09) == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])


def test_after_a_stall_what_is_due_comes_at_once() -> None:
    came = arrivals([silence(CHUNK)] * 3, speed=1.0, work=1.0)
    assert came == pytest.approx([0.1, 1.1, 2.1])


def test_a_negative_speed_is_refused() -> None:
    with pytest.raises(ValueError, match="speed must be 0"):
        arrivals([silence(1)], speed=-1)


@given(st.lists(st.integers(0, 50), max_size=10), st.integers(1, 20))
def test_rechunking_keeps_every_sample_in_order(lengths: list[int], size: int) -> None:
    whole = np.arange(sum(lengths), dtype=np.int16)
    pieces = np.split(whole, np.cumsum(lengths)[:-1]) if lengths else []
    chunks = list(rechunk(pieces, size))
    assert all(len(chunk) == size for chunk in chunks[:-1])
    assert not chunks or 0 < len(chunks[-1]) <= size
    assert np.array_equal(np.concatenate([*chunks, np.empty(0, np.int16)]), whole)
