"""Recordings as files of a directory.

::

    ROOT/incoming/KEY     what is still being received, or whose process ended meanwhile: a left-over then
    ROOT/KE/KEY           a whole recording

A KEY is one of ``keys``.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from starling.core.errors import StoreFull, StoreUnavailable
from starling.jobs.keys import KEY, PIECE, check_size, gone, new_key
from starling.jobs.offload import Offload

T = TypeVar("T")

_INCOMING: Final = "incoming"


async def _on_a_thread(call: Callable[[], T], /) -> T:
    return await asyncio.to_thread(call)


class DirectoryRecordings:
    """``Recordings`` below ``root``, which is made if there is nothing. Raises StoreUnavailable where it cannot be written.

    ``patient``: then it is made when something is to be put there, and not here.
    """

    def __init__(self, root: Path, *, offload: Offload = _on_a_thread, patient: bool = False) -> None:
        self._root = root
        self._offload = offload
        self._made = False
        if not patient:
            self._make()

    def _make(self) -> None:
        """Once: a place that was there and is gone may be a disk that is gone, and is not to be made anew below it."""
        if not self._made:
            with _or_unavailable():
                self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
                (self._root / _INCOMING).mkdir(exist_ok=True, mode=0o700)
            self._made = True

    async def put(self, chunks: AsyncIterator[bytes], *, limit: int) -> tuple[str, int, str]:
        await self._offload(self._make)
        key = new_key()
        draft = await self._offload(lambda: _Draft(self._root / _INCOMING / key))
        gathered = bytearray()
        try:
            async for chunk in chunks:
                gathered += chunk
                check_size(draft.size + len(gathered), limit)
                if len(gathered) >= PIECE:
                    await self._offload(partial(draft.append, gathered))
                    gathered = bytearray()
            await self._offload(partial(draft.append, gathered))
            await self._offload(lambda: draft.keep(self._place(key)))
        except BaseException:
            draft.drop()
            raise
        return key, draft.size, draft.digest.hexdigest()

    async def open(self, key: str) -> BinaryIO:
        return await self._offload(lambda: self._open(key))

    async def read(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        file = await self.open(key)
        try:
            file.seek(start)
            at = start
            while wanted := PIECE if end is None else min(PIECE, max(0, end - at)):
                piece = await self._offload(lambda size=wanted: file.read(size))  # type: ignore[misc]
                if not piece:
                    return
                at += len(piece)
                yield piece
        finally:
            file.close()

    async def delete(self, key: str) -> None:
        if KEY.fullmatch(key):
            await self._offload(lambda: self._delete(key))

    async def keys(self) -> AsyncIterator[tuple[str, float]]:
        for shard in (_INCOMING, *(f"{number:02x}" for number in range(256))):
            for found in await self._offload(lambda name=shard: _listed(self._root / name)):  # type: ignore[misc]
                yield found

    async def close(self) -> None:
        pass

    def _place(self, key: str) -> Path:
        return self._root / key[:2] / key

    def _open(self, key: str) -> BinaryIO:
        if not KEY.fullmatch(key):
            raise gone()
        with _or_unavailable():
            try:
                return self._place(key).open("rb")
            except FileNotFoundError:
                raise gone() from None

    def _delete(self, key: str) -> None:
        with _or_unavailable():
            for path in (self._place(key), self._root / _INCOMING / key):
                path.unlink(missing_ok=True)


class _Draft:
    """A recording that is being received."""

    def __init__(self, path: Path) -> None:
        self.size = 0
        self.digest = hashlib.sha256()
        self._path = path
        with _or_unavailable():
            self._file = open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")  # noqa: PTH123, SIM115 - it has a mode

    def append(self, data: bytes | bytearray) -> None:
        with _or_unavailable():
            self._file.write(data)
        self.size += len(data)
        self.digest.update(data)

    def keep(self, place: Path) -> None:
        """Whole and on the disk, or not there: neither a crash nor a loss of power leaves half of it under its name."""
        with _or_unavailable():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            place.parent.mkdir(exist_ok=True, mode=0o700)
            self._path.rename(place)
            for directory in (place.parent, place.parent.parent):
                _sync(directory)

    def drop(self) -> None:
        with suppress(OSError):
            self._file.close()
        self._path.unlink(missing_ok=True)


def _sync(directory: Path) -> None:
    number = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _listed(directory: Path) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    with _or_unavailable(), suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            if KEY.fullmatch(entry.name):
                with suppress(FileNotFoundError):
                    found.append((entry.name, entry.stat(follow_symlinks=False).st_mtime))
    return found


@contextmanager
def _or_unavailable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = ": make room" if error.errno in {errno.ENOSPC, errno.EDQUOT} else ""
        kind = StoreFull if hint else StoreUnavailable
        raise kind(f"recordings cannot be kept or read now: {error.strerror}{hint}") from error
