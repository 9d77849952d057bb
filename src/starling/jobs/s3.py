"""Recordings as objects of a store that speaks S3, by way of obstore (the extra ``s3``).

Credentials, region and the like come from where Amazon's own tools have them: ``AWS_ACCESS_KEY_ID``, ``AWS_REGION`` and so on, or
the machine's role. https://docs.aws.amazon.com/sdkref/latest/guide/environment-variables.html

An object is there once all of it was sent. Of an upload whose process was killed the parts stay, unseen and paid for, until a
rule of the bucket removes them: https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpu-abort-incomplete-mpu-lifecycle-config.html
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import BinaryIO, Final, cast
from urllib.parse import urlsplit

from starling.core.errors import InvalidOption, StoreUnavailable
from starling.jobs.keys import KEY, PIECE, check_size, gone, new_key

PART: Final = 8 << 20
"""Bytes of one part of an upload. There are 10,000 at most, so a recording has at most 80 GB."""

AT_ONCE: Final = 2
"""Parts on their way at once: so much of each upload is in memory."""

AHEAD: Final = 1 << 20
"""Bytes that are read when some are asked for."""


class S3Recordings:
    """``Recordings`` at ``url``, ``s3://BUCKET/PREFIX``; ``endpoint``: URL of the store, or None for Amazon's.

    Raises InvalidOption for a URL that is none, and where obstore is not installed. Methods raise StoreUnavailable.
    """

    def __init__(self, url: str, *, endpoint: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc:
            raise InvalidOption(f"expected s3://BUCKET/PREFIX, got {url!r}")
        try:
            import obstore  # noqa: PLC0415 - an extra
            from obstore.exceptions import BaseError  # noqa: PLC0415
            from obstore.store import S3Store  # noqa: PLC0415
        except ImportError:
            raise InvalidOption("recordings in S3 need obstore: pip install 'starling[s3]'") from None
        self._obstore = obstore
        self._errors = (BaseError, OSError)
        self._store = S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            client_options={
                "allow_http": (endpoint or "").startswith("http://"),
                "connect_timeout": timedelta(seconds=5),
                "timeout": timedelta(seconds=60),
            },
            retry_config={"max_retries": 5, "retry_timeout": timedelta(seconds=30)},
            config={"endpoint": endpoint, "virtual_hosted_style_request": False} if endpoint else None,
        )

    async def put(self, chunks: AsyncIterator[bytes], *, limit: int) -> tuple[str, int, str]:
        key, digest, size = new_key(), hashlib.sha256(), 0
        failed: list[BaseException] = []

        async def measured() -> AsyncIterator[bytes]:
            nonlocal size
            try:
                async for chunk in chunks:
                    size += len(chunk)
                    check_size(size, limit)
                    digest.update(chunk)
                    if chunk:
                        yield chunk
            except Exception as error:
                failed.append(error)
                raise

        try:
            with self._or_unavailable():
                await self._obstore.put_async(self._store, key, measured(), chunk_size=PART, max_concurrency=AT_ONCE)
        except StoreUnavailable:
            if failed:
                raise failed[0] from None
            raise
        return key, size, digest.hexdigest()

    async def open(self, key: str) -> BinaryIO:
        size = await self._size(key)
        return cast("BinaryIO", io.BufferedReader(_Object(self, key, size), AHEAD))

    async def read(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        size = await self._size(key)
        stop = size if end is None else min(size, end)
        if start < stop:
            with self._or_unavailable(read=True):
                found = await self._obstore.get_async(self._store, key, options={"range": (start, stop)})
                async for piece in found.stream(min_chunk_size=PIECE):
                    yield bytes(piece)

    def part(self, key: str, start: int, end: int) -> memoryview:
        """Its bytes from ``start`` up to ``end``. Blocks."""
        with self._or_unavailable(read=True):
            return memoryview(self._obstore.get_range(self._store, key, start=start, end=end))

    async def delete(self, key: str) -> None:
        if KEY.fullmatch(key):
            with self._or_unavailable():
                await self._obstore.delete_async(self._store, key)

    async def keys(self) -> AsyncIterator[tuple[str, float]]:
        with self._or_unavailable():
            async for batch in self._obstore.list(self._store):
                for found in batch:
                    if KEY.fullmatch(found["path"]):
                        yield found["path"], found["last_modified"].timestamp()

    async def close(self) -> None:
        pass

    async def _size(self, key: str) -> int:
        if not KEY.fullmatch(key):
            raise gone()
        with self._or_unavailable(read=True):
            return int((await self._obstore.head_async(self._store, key))["size"])

    @contextmanager
    def _or_unavailable(self, *, read: bool = False) -> Iterator[None]:
        """Only where a recording is ``read`` may that be what is missing; elsewhere it is the bucket."""
        try:
            yield
        except self._errors as error:
            if read and isinstance(error, FileNotFoundError):
                raise gone() from None
            kind = type(error).__name__
            raise StoreUnavailable(f"recordings cannot be kept or read now: {kind} of the object store") from error


class _Object(io.RawIOBase):
    """An object as a file, read in pieces as they are asked for."""

    def __init__(self, recordings: S3Recordings, key: str, size: int) -> None:
        super().__init__()
        self._recordings = recordings
        self._key = key
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if origin + offset < 0:
            raise ValueError("a position before the beginning")
        self._at = origin + offset
        return self._at

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        end = min(self._size, self._at + len(buffer))
        if self._at >= end:
            return 0
        part = self._recordings.part(self._key, self._at, end)
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)
