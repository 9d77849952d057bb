"""What each process leaves for the others to read, where it outlives the process: shared memory of the supervisor's making.

A process has one *sheet*, which only it writes: whose audio its models work on, whose bytes it reads, one message, signs of life,
and its metrics when they are asked for. The board above the sheets is the supervisor's: whom to suspect. Metrics are asked for by
the gateway, which is why that word is its own.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from threading import Lock
from typing import Final

import numpy as np

from starling.bus.shared.arena import key_of
from starling.bus.shared.memory import WORD, Memory
from starling.core.errors import ServerError
from starling.core.ports import MOST_WITNESSED, Work

BOARD: Final = 4096
"""Bytes above the first sheet."""

ASKED: Final = 0
"""Where the board counts how often metrics were asked for."""

SUSPECTS_AT: Final = 64
MOST_SUSPECTS: Final = 64

MESSAGE_AT: Final = 8192
MESSAGE: Final = 8192
METRICS_AT: Final = MESSAGE_AT + MESSAGE
METRICS: Final = 1 << 20
SHEET: Final = METRICS_AT + METRICS

_MESSAGE_LENGTH, _METRICS_LENGTH, _ANSWERED, _BEAT, _READING = (WORD * n for n in range(5))
_WORK_AT: Final = {Work.LISTEN: 1024, Work.DECODE: 2048, Work.UNPACK: 3072}
"""Since when, for how many, and for whom, in words."""


@dataclass(frozen=True, slots=True)
class InHand:
    """One call into a model. ``since``: seconds of the monotonic clock, of what is read infinite: it takes no time.

    ``keys``: of its sessions, see ``key_of``.
    """

    since: float
    keys: tuple[int, ...]


class Sheets:
    """One mapping of them: ``create`` them in the supervisor, ``attach`` the inherited ``fd`` elsewhere."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        size = os.fstat(fd).st_size
        self.rows = (size - BOARD) // SHEET
        self._memory = Memory(fd, size)

    @classmethod
    def create(cls, rows: int) -> Sheets:
        """Empty sheets, which take no memory before they are written. Raises ServerError on systems that have no memfd."""
        if not hasattr(os, "memfd_create"):  # pragma: no cover - not on Linux
            raise ServerError("several processes need Linux; serve with --workers 0")
        fd = os.memfd_create("starling sheets", os.MFD_CLOEXEC)
        os.ftruncate(fd, BOARD + rows * SHEET)
        return cls(fd)

    @classmethod
    def attach(cls, fd: int) -> Sheets:
        """The sheets of the inherited ``fd``."""
        return cls(fd)

    def close(self) -> None:
        """Unmap and forget them."""
        self._memory.close()
        os.close(self.fd)

    def clear(self, row: int) -> None:
        """Make a sheet of a process that is gone ready for the next."""
        at = self._at(row)
        for word in (_MESSAGE_LENGTH, _METRICS_LENGTH, _ANSWERED, _BEAT, _READING, *_WORK_AT.values()):
            self._memory.store(at + word, 0)

    # --- signs of life, of a process that has no row of its own elsewhere ---

    def beat(self, row: int) -> None:
        """The process of this sheet lives."""
        self._memory.store(self._at(row) + _BEAT, time.monotonic_ns())

    def last_beat(self, row: int) -> int:
        """When it said so last, in nanoseconds of the monotonic clock; 0 if it never did."""
        return self._memory.load(self._at(row) + _BEAT)

    # --- what a process works on ---

    def begin(self, row: int, work: Work, keys: Sequence[int]) -> None:
        """A call into a model begins."""
        at = self._at(row) + _WORK_AT[work]
        self._memory.write(at + 2 * WORD, np.array(keys[:MOST_WITNESSED], np.uint64))
        self._memory.store(at + WORD, min(len(keys), MOST_WITNESSED))
        self._memory.store(at, time.monotonic_ns())

    def end(self, row: int, work: Work) -> None:
        """It is over."""
        self._memory.store(self._at(row) + _WORK_AT[work], 0)

    def in_hand(self, row: int) -> Mapping[Work, InHand]:
        """The calls that run now, or ran when the process ended."""
        found = {}
        for work, place in _WORK_AT.items():
            at = self._at(row) + place
            if since := self._memory.load(at):
                count = min(self._memory.load(at + WORD), MOST_WITNESSED)
                keys = np.frombuffer(self._memory.read(at + 2 * WORD, WORD * count), np.uint64)
                found[work] = InHand(since / 1e9, tuple(keys.tolist()))
        if key := self._memory.load(self._at(row) + _READING):
            found[Work.READ] = InHand(math.inf, (key,))
        return found

    def reading(self, row: int, key: int) -> AbstractContextManager[None]:
        """What is entered each time that bytes are read of whoever ``key`` names."""
        return _Reading(self._memory, self._at(row) + _READING, key)

    # --- whom to suspect ---

    def suspect(self, keys: Sequence[int]) -> None:
        """These and no others, the last MOST_SUSPECTS of them. One that stays a suspect is not missing meanwhile."""
        wanted = keys[-MOST_SUSPECTS:]
        cells = self._suspects()
        free = [cell for cell, key in enumerate(cells) if key not in wanted]
        for key in wanted:
            if key not in cells:
                cells[cell := free.pop()] = key
                self._memory.store(SUSPECTS_AT + WORD * cell, key)
        for cell in free:
            self._memory.store(SUSPECTS_AT + WORD * cell, 0)

    def suspects(self) -> frozenset[int]:
        """Keys of sessions."""
        return frozenset(self._suspects()) - {0}

    def _suspects(self) -> list[int]:
        cells: list[int] = np.frombuffer(self._memory.read(SUSPECTS_AT, WORD * MOST_SUSPECTS), np.uint64).tolist()
        return cells

    # --- messages ---

    def say(self, row: int, message: bytes) -> None:
        """Leave a message, once: what the process can do, or why it cannot."""
        at = self._at(row)
        self._memory.write(at + MESSAGE_AT, message[:MESSAGE])
        self._memory.store(at + _MESSAGE_LENGTH, min(len(message), MESSAGE))

    def said(self, row: int) -> bytes:
        """The message, or nothing."""
        at = self._at(row)
        return self._memory.read(at + MESSAGE_AT, min(self._memory.load(at + _MESSAGE_LENGTH), MESSAGE))

    # --- metrics ---

    @property
    def asked(self) -> int:
        """How often metrics were asked for."""
        return self._memory.load(ASKED)

    def ask(self) -> int:
        """Ask every process for its metrics; the number of this question. For the gateway."""
        number = self.asked + 1
        self._memory.store(ASKED, number)
        return number

    def answer(self, row: int, number: int, page: bytes) -> None:
        """Answer question ``number``; a page that is too large is left out."""
        at = self._at(row)
        self._memory.store(at + _ANSWERED, 0)
        page = page if len(page) <= METRICS else b""
        self._memory.write(at + METRICS_AT, page)
        self._memory.store(at + _METRICS_LENGTH, len(page))
        self._memory.store(at + _ANSWERED, number)

    def answered(self, row: int, number: int) -> bytes | None:
        """The answer to question ``number``, or None if there is none yet."""
        at = self._at(row)
        if self._memory.load(at + _ANSWERED) != number:
            return None
        return self._memory.read(at + METRICS_AT, min(self._memory.load(at + _METRICS_LENGTH), METRICS))

    def _at(self, row: int) -> int:
        if not 0 <= row < self.rows:
            raise ServerError(f"expected a sheet from 0 to {self.rows - 1}, got {row}")
        return BOARD + row * SHEET


class SharedWitness:
    """Witness that writes on the sheet of this process. ``suspects``: whom to suspect, if it is not the board that says so."""

    def __init__(self, sheets: Sheets, row: int, *, suspects: Container[str] | None = None) -> None:
        self._sheets = sheets
        self._row = row
        self._told = suspects
        self._suspect_in_hand = Lock()

    @contextmanager
    def watch(self, work: Work, session_ids: Sequence[str]) -> Iterator[None]:
        suspects = self.suspects()
        alone = self._suspect_in_hand if any(session_id in suspects for session_id in session_ids) else nullcontext()
        with alone:
            self._sheets.begin(self._row, work, [key_of(session_id) for session_id in session_ids])
            try:
                yield
            finally:
                self._sheets.end(self._row, work)

    def reading(self, whose: str) -> AbstractContextManager[None]:
        return self._sheets.reading(self._row, key_of(whose))

    def suspects(self) -> Container[str]:
        if self._told is not None:
            return self._told
        keys = self._sheets.suspects()
        return _Suspects(keys) if keys else ()


class _Reading(AbstractContextManager[None]):
    """One word, stored and taken back: it is done for every frame of every client."""

    __slots__ = ("_at", "_key", "_store")

    def __init__(self, memory: Memory, at: int, key: int) -> None:
        self._store = memory.store
        self._at = at
        self._key = key

    def __enter__(self) -> None:
        self._store(self._at, self._key)

    def __exit__(self, *_: object) -> None:
        self._store(self._at, 0)


class _Suspects:
    def __init__(self, keys: frozenset[int]) -> None:
        self._keys = keys

    def __contains__(self, session_id: object) -> bool:
        return isinstance(session_id, str) and key_of(session_id) in self._keys
