"""A connection to the file of jobs: opened, brought up to date, and its transactions."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from starling.core.backoff import backoff
from starling.core.errors import StoreFull, StoreUnavailable
from starling.jobs.sqlite.reserve import Reserve, no_room
from starling.jobs.sqlite.schema import MIGRATIONS
from starling.telemetry.logs import get_logger

PATIENCE: Final = 10.0
"""Seconds to wait for another process that writes."""

FIRST: Final = 1.0
LONGEST: Final = 30.0
"""Seconds between two attempts to open what cannot be opened: twice as long each time."""

PAGES: Final = 1000
"""Pages of 4 KiB that are given back at once, while others wait to write."""

OWNER_ONLY: Final = 0o600


log = get_logger(__name__)


class Database:
    """One connection, for one thread at a time.

    A transaction that ``lasts`` is on the disk when it is over (``synchronous=FULL``) and outlives a loss of power; others
    outlive the end of any process, for which it is enough to have been written. A loss of power may undo those since the last
    one that lasts, all from some moment on: they say what can be found again.

    ``patient``: one that cannot be opened now is opened by whoever uses it later, less and less often while that fails.
    """

    def __init__(self, path: Path, *, patient: bool = False, now: Callable[[], float] = time.monotonic) -> None:
        """Open ``path``, or make it. Raises StoreUnavailable unless it is ``patient``."""
        self._path = path
        self._reserve = Reserve(path)
        self._now = now
        self._open: sqlite3.Connection | None = None
        self._failures = 0
        self._again = now()
        try:
            self._open = _connected(path)
        except StoreUnavailable as error:
            if not patient:
                raise
            self._failed(error)

    @property
    def _connection(self) -> sqlite3.Connection:
        """Raises StoreUnavailable, in words that clients may read."""
        if self._open is None and self._now() >= self._again:
            try:
                self._open = _connected(self._path)
            except StoreUnavailable as error:
                self._failed(error)
            else:
                log.info("jobs can be kept again", attempts=self._failures + 1)
        if self._open is None:
            raise StoreUnavailable("the jobs cannot be opened now; the server tries again by itself, and its log says why")
        return self._open

    def _failed(self, error: StoreUnavailable) -> None:
        self._failures += 1
        wait = backoff(self._failures, first=FIRST, longest=LONGEST)
        self._again = self._now() + wait
        log.warning("jobs cannot be opened", reason=error.message, retry_seconds=wait)

    @contextmanager
    def writing(self, *, lasts: bool) -> Iterator[None]:
        """One transaction, alone; undone if the block raises. Raises StoreUnavailable."""
        self.run("PRAGMA synchronous = FULL" if lasts else "PRAGMA synchronous = NORMAL")
        self.run("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._undo()
            raise
        try:
            self.run("COMMIT")
        except StoreUnavailable:
            self._undo()
            raise

    @contextmanager
    def reading(self) -> Iterator[None]:
        """One moment of the file, whoever writes meanwhile."""
        self.run("BEGIN")
        try:
            yield
        finally:
            self._undo()

    def run(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows. Raises StoreUnavailable."""
        try:
            return self._connection.execute(statement, values).fetchall()
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            raise
        except sqlite3.DatabaseError as error:  # locked for long, full, damaged
            kind = StoreFull if no_room(error) else StoreUnavailable
            raise kind(f"the jobs cannot be read or written now: {error}") from error

    def run_many(self, statement: str, values: list[tuple[Any, ...]]) -> None:
        """The same for each of ``values``."""
        for each in values:
            self.run(statement, each)

    def version(self) -> int:
        """Another number once another connection has written something."""
        [(number,)] = self.run("PRAGMA data_version")
        return int(number)

    def shrink(self) -> bool:
        """Give back some of the pages that hold nothing any more; whether that went, and there are others."""
        [(before,)] = self.run("PRAGMA freelist_count")
        with self.writing(lasts=False):  # a pragma that finds no room on the disk for itself does not say so
            self.run(f"PRAGMA incremental_vacuum({PAGES})")
        [(free,)] = self.run("PRAGMA freelist_count")
        return 0 < int(free) < int(before)

    def empty_log(self) -> None:
        """Write back the log of changes, in which what was deleted may still stand."""
        self.run("PRAGMA wal_checkpoint(TRUNCATE)")

    def make_room(self) -> bool:
        """Give the disk back what was reserved of it; whether that was anything."""
        return self._reserve.release()

    def reserve_room(self) -> None:
        """Reserve it again, if there is any; what is in the log of changes may need it more."""
        try:
            self.empty_log()
        except StoreFull:
            self._reserve.release()
            self.empty_log()
        self._reserve.fill()

    def close(self) -> None:
        """Free what is held."""
        if self._open is not None:
            self._open.close()

    def _undo(self) -> None:
        if self._open is not None and self._open.in_transaction:
            self._open.rollback()


def _connected(path: Path) -> sqlite3.Connection:
    """Raises StoreUnavailable."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone(path):
            _make(path)
            try:
                connection = _prepared(path)
            except sqlite3.Error as error:
                if not (no_room(error) and Reserve(path).release()):
                    raise
                return _prepared(path)  # what opens it may be to delete something
            Reserve(path).fill()
            return connection
    except (OSError, sqlite3.Error) as error:
        raise StoreUnavailable(f"cannot open the jobs at {path}: {error}") from error


def _prepared(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    run = connection.execute
    run("PRAGMA auto_vacuum = INCREMENTAL")  # heeded while there are no tables
    run("PRAGMA journal_mode = WAL")
    run("PRAGMA foreign_keys = ON")
    run("PRAGMA secure_delete = ON")
    [version] = run("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise StoreUnavailable(
            f"the jobs at {path} were written by a newer Starling (version {version} of its tables, this one knows "
            f"{len(MIGRATIONS)}): use that one, or another file"
        )
    for number in range(version, len(MIGRATIONS)):
        connection.executescript(f"BEGIN; {MIGRATIONS[number]} PRAGMA user_version = {number + 1}; COMMIT;")


def _make(path: Path) -> None:
    """A new file for its owner only, which SQLite's files beside it take after.

    One that is there is not even opened: closing it would end the locks that another connection of this process has on it
    (POSIX), and the next process to leave would take itself for the last. https://www.sqlite.org/howtocorrupt.html, 2.2
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY))


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes from opening it meanwhile: who turns a new file to WAL does not wait for others, but fails."""
    lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
