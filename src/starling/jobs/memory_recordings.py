"""Recordings in the memory of one process: the twin of the places that last."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import AsyncIterator, Callable
from typing import BinaryIO

from starling.jobs.keys import PIECE, check_size, gone, new_key


class MemoryRecordings:
    """``Recordings`` that end with it. ``wall``: Unix seconds."""

    def __init__(self, *, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._kept: dict[str, tuple[bytes, float]] = {}

    async def put(self, chunks: AsyncIterator[bytes], *, limit: int) -> tuple[str, int, str]:
        gathered = bytearray()
        async for chunk in chunks:
            gathered += chunk
            check_size(len(gathered), limit)
        key = new_key()
        self._kept[key] = bytes(gathered), self._wall()
        return key, len(gathered), hashlib.sha256(gathered).hexdigest()

    async def open(self, key: str) -> BinaryIO:
        return io.BytesIO(self._bytes(key))

    async def read(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        asked = self._bytes(key)[start:end]
        for at in range(0, len(asked), PIECE):
            yield asked[at : at + PIECE]

    async def delete(self, key: str) -> None:
        self._kept.pop(key, None)

    async def keys(self) -> AsyncIterator[tuple[str, float]]:
        for key, (_, stored) in list(self._kept.items()):
            yield key, stored

    async def close(self) -> None:
        pass

    def _bytes(self, key: str) -> bytes:
        if key not in self._kept:
            raise gone()
        return self._kept[key][0]
