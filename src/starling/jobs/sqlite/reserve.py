"""Room that is kept for when there is none: deleting takes room first, in the log of changes, before it makes any."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

RESERVED: Final = 4 << 20
"""Bytes. Enough for what is deleted at once, see ``Queue.thin``."""

_NO_ROOM: Final = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_SHMSIZE}
)


def no_room(error: BaseException | None) -> bool:
    """Whether ``error`` is SQLite's word for a full disk, or one that may mean it."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", None) in _NO_ROOM


class Reserve:
    """A file beside ``path`` that holds nothing but room. Any number of processes keep the same one."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".reserve")

    def fill(self) -> None:
        """Take the room, if it is to be had."""
        with suppress(OSError):
            # Nobody follows a link here, or waits for who reads a pipe. What has room already is left as it is, and a copy
            # of it that holds none, as backups make them, gets it.
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
            try:
                os.ftruncate(file, RESERVED)
                os.posix_fallocate(file, 0, RESERVED)
            except OSError:
                self.release()
            finally:
                os.close(file)

    def release(self) -> bool:
        """Give it back to the disk; whether there was any."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True
