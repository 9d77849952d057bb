"""What every Recordings promises. A test module inherits RecordingsContract and says how to open its own."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any

import pytest

from starling.core.errors import FrameTooLarge, RecordingGone
from starling.core.job_store import Recordings
from virtual_time import run

BYTES = bytes(range(256)) * 4096
"""1 MiB."""


async def chunks(data: bytes, size: int = 60_000) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def broken() -> AsyncGenerator[bytes, None]:
    yield BYTES
    raise ConnectionResetError


async def read(recordings: Recordings, key: str, *, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([piece async for piece in recordings.read(key, start=start, end=end)])


async def keys(recordings: Recordings) -> list[str]:
    return sorted([key async for key, _ in recordings.keys()])  # noqa: SIM118 - no mapping


class RecordingsContract:
    def opened(self) -> AbstractAsyncContextManager[Recordings]:
        """An empty place for recordings, closed at the end."""
        raise NotImplementedError

    def run(self, scenario: Coroutine[Any, Any, None]) -> None:
        run(scenario)

    def check(self, scenario: Callable[[Recordings], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            async with self.opened() as recordings:
                await scenario(recordings)

        self.run(main())

    def test_what_was_put_is_read_as_it_was(self) -> None:
        async def scenario(recordings: Recordings) -> None:
            key, size, digest = await recordings.put(chunks(BYTES), limit=len(BYTES))
            assert (size, digest) == (len(BYTES), hashlib.sha256(BYTES).hexdigest())
            assert await read(recordings, key) == BYTES
            assert await keys(recordings) == [key]
            other, *_ = await recordings.put(chunks(b""), limit=10)
            assert other != key
            assert await read(recordings, other) == b""

        self.check(scenario)

    def test_a_part_of_it_can_be_read(self) -> None:
        async def scenario(recordings: Recordings) -> None:
            key, *_ = await recordings.put(chunks(BYTES), limit=len(BYTES))
            for start, end in [(0, 10), (1000, 900_000), (5, 5), (1_000_000, None), (10, 1 << 40), (1 << 30, None), (7, 3)]:
                assert await read(recordings, key, start=start, end=end) == BYTES[start:end]

        self.check(scenario)

    def test_it_can_be_sought_in(self) -> None:
        async def scenario(recordings: Recordings) -> None:
            key, *_ = await recordings.put(chunks(BYTES), limit=len(BYTES))
            with await recordings.open(key) as file:
                assert file.seekable()
                assert file.readable()
                assert file.read(3) == BYTES[:3]
                assert file.seek(-5, os.SEEK_END) == len(BYTES) - 5
                assert file.read() == BYTES[-5:]
                assert file.read(1) == b""
                assert file.seek(300_000) == 300_000
                assert file.seek(7, os.SEEK_CUR) == 300_007
                assert file.read(400_000) == BYTES[300_007:700_007]
                assert file.tell() == 700_007
                file.seek(0)
                assert file.read() == BYTES

        self.check(scenario)

    @pytest.mark.parametrize("limit", [len(BYTES) - 1, 1000, 0])
    def test_what_is_too_long_leaves_nothing(self, limit: int) -> None:
        async def scenario(recordings: Recordings) -> None:
            async with aclosing(chunks(BYTES)) as coming:
                with pytest.raises(FrameTooLarge, match=str(limit)):
                    await recordings.put(coming, limit=limit)
            assert await keys(recordings) == []

        self.check(scenario)

    def test_what_ends_too_soon_leaves_nothing(self) -> None:
        async def scenario(recordings: Recordings) -> None:
            with pytest.raises(ConnectionResetError):
                await recordings.put(broken(), limit=1 << 30)
            assert await keys(recordings) == []

        self.check(scenario)

    def test_what_is_deleted_is_gone(self) -> None:
        async def scenario(recordings: Recordings) -> None:
            key, *_ = await recordings.put(chunks(BYTES), limit=len(BYTES))
            kept, *_ = await recordings.put(chunks(b"kept"), limit=10)
            await recordings.delete(key)
            await recordings.delete(key)
            assert await keys(recordings) == [kept]
            with pytest.raises(RecordingGone):
                await recordings.open(key)
            with pytest.raises(RecordingGone):
                await read(recordings, key)

        self.check(scenario)

    @pytest.mark.parametrize(
        "key", ["", "../../etc/passwd", "/etc/passwd", "incoming", "00", "a" * 31 + "/", "A" * 32, "a" * 33, "0" * 32]
    )
    def test_a_key_that_is_none_leads_nowhere(self, key: str) -> None:
        async def scenario(recordings: Recordings) -> None:
            await recordings.delete(key)
            with pytest.raises(RecordingGone):
                await recordings.open(key)
            with pytest.raises(RecordingGone):
                await read(recordings, key)

        self.check(scenario)

    def test_keys_say_when_each_was_stored(self) -> None:
        async def scenario(recordings: Recordings) -> None:
            first, *_ = await recordings.put(chunks(b"first"), limit=10)
            second, *_ = await recordings.put(chunks(b"second"), limit=10)
            times = {key: at async for key, at in recordings.keys()}  # noqa: SIM118 - no mapping
            assert times.keys() == {first, second}
            assert abs(times[first] - times[second]) < 60

        self.check(scenario)
