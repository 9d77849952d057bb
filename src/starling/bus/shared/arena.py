"""The shared memory of the platform: one anonymous file, made by the supervisor and inherited by its children.

It has no name, so nothing is left of it when the last process is gone, whatever ended that::

    arena = Arena.create(Geometry(slots=64, workers=4, max_lead=960_000))      # supervisor
    subprocess.Popen([..., str(arena.fd)], pass_fds=arena.fds)
    arena = Arena.attach(fd)                                                   # gateway, worker

The gateway's row is ``arena.gateway`` (row 0), those of the workers ``arena.workers``; ``beat`` is their sign of life. Who owns
which slot is the supervisor's business (``ownership.py``).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import numpy as np
from numpy.typing import NDArray

from starling.bus.shared.bells import Bell
from starling.bus.shared.cells import Cells
from starling.bus.shared.layout import (
    BELLS_AT,
    HEADER,
    MAGIC,
    RECORDS,
    RESULTS,
    VERSION,
    Area,
    Geometry,
    Hold,
    Layout,
    ProcessColumn,
    ProcessState,
    SlotColumn,
)
from starling.bus.shared.memory import WORD, Memory
from starling.bus.shared.rings import Rings
from starling.core.audio import Samples
from starling.core.errors import ServerError

_SEALS: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


class Table:
    """Columns of words, ``rows`` each."""

    def __init__(self, memory: Memory, area: Area, rows: int, columns: int) -> None:
        self._memory = memory
        self._at = [area.at(column) for column in range(columns)]
        self._columns = [memory.view(at, np.uint64, rows) for at in self._at]
        self.rows = rows

    def column(self, column: int) -> NDArray[np.uint64]:
        """Shape ``[rows]``, read-only and live: copy what must not change."""
        return self._columns[column]

    def load(self, column: int, row: int) -> int:
        """One word."""
        return self._memory.load(self._at[column] + row * WORD)

    def store(self, column: int, row: int, word: int) -> None:
        """Publish one word, 0 to 2^64 - 1. Only the column's writer may."""
        if not 0 <= row < self.rows:
            raise ServerError(f"expected a row from 0 to {self.rows - 1} of shared memory, got {row}")
        self._memory.store(self._at[column] + row * WORD, word)

    def beat(self, row: int) -> None:
        """The sign of life of the process with this row."""
        self.store(ProcessColumn.HEARTBEAT, row, time.monotonic_ns())

    def state(self, row: int) -> ProcessState:
        """How far the process with this row is."""
        return ProcessState(self.load(ProcessColumn.STATE, row))


class Arena:
    """One mapping of the shared memory. ``create`` or ``attach`` it; ``close`` it, or drop it."""

    def __init__(self, fd: int, geometry: Geometry, memory: Memory, bells: Sequence[int] = ()) -> None:
        self.fd = fd
        self.geometry = geometry
        self.memory = memory
        self.layout = layout = Layout(geometry)
        numbers = bells or [memory.load(BELLS_AT + WORD * index) for index in range(geometry.workers + 2)]
        self.supervisor_bell = Bell(numbers[0])
        self.gateway_bell = Bell(numbers[1])
        self.worker_bells = tuple(Bell(number) for number in numbers[2:])
        self.slots = Table(memory, layout.slot_columns, geometry.slots, len(SlotColumn))
        self.gateway = Table(memory, layout.gateway_columns, 1, len(ProcessColumn))
        self.workers = Table(memory, layout.worker_columns, geometry.workers, len(ProcessColumn))
        versions = layout.slot_columns.at
        self.opening = Cells(memory, versions(SlotColumn.OPENING), layout.opening)
        self.entry = Cells(memory, versions(SlotColumn.ENTRY), layout.entry)
        self.log = Cells(memory, versions(SlotColumn.LOG), layout.log)
        self.checkpoint = Cells(memory, versions(SlotColumn.CHECKPOINT), layout.checkpoint)
        self.results_end = Cells(memory, versions(SlotColumn.RESULTS), layout.results_end)
        self.records = Rings(memory, layout.records, RECORDS)
        self.results = Rings(memory, layout.results, RESULTS)
        self._samples = memory.view(0, np.int16, layout.size // 2)
        self.loads = Cells(memory, layout.worker_columns.at(ProcessColumn.LOAD), layout.loads)

    @classmethod
    def create(cls, geometry: Geometry) -> Arena:
        """Shared memory of which nothing is in use yet: pages are taken from the system as they are written.

        Raises ServerError on systems that cannot.
        """
        if not hasattr(os, "memfd_create"):  # pragma: no cover - not on Linux
            raise ServerError("several processes need Linux; serve with --workers 0")
        opened = [os.memfd_create("starling", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)]
        try:
            opened += [os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK) for _ in range(geometry.workers + 2)]
            size = Layout(geometry).size
            os.ftruncate(opened[0], size)
            fcntl.fcntl(opened[0], fcntl.F_ADD_SEALS, _SEALS)
            memory = Memory(opened[0], size)
        except OSError as error:
            _close(opened)
            raise ServerError(
                f"shared memory for {geometry.slots} sessions: {error.strerror}; lower server.max_sessions"
            ) from error
        for index, number in enumerate(opened[1:]):
            memory.store(BELLS_AT + WORD * index, number)
        memory.write(0, HEADER.pack(MAGIC, VERSION, geometry.slots, geometry.workers, geometry.max_lead))
        arena = cls(opened[0], geometry, memory)
        weakref.finalize(arena, _close, opened)
        return arena

    @classmethod
    def attach(cls, fd: int, bells: Sequence[int] = ()) -> Arena:
        """The arena of the inherited ``fd``. ``bells``: the rest of ``fds``, if they have other numbers here.

        Raises ServerError if ``fd`` is something else.
        """
        try:
            magic, version, *numbers = HEADER.unpack(os.pread(fd, HEADER.size, 0))
            size = os.fstat(fd).st_size
        except (OSError, ValueError) as error:
            raise ServerError(f"expected the arena as file descriptor {fd}; start this process by `starling serve`") from error
        if (magic, version) != (MAGIC, VERSION):
            raise ServerError(f"expected an arena of version {VERSION}, got {magic!r} of {version}; restart `starling serve`")
        geometry = Geometry(slots=numbers[0], workers=numbers[1], max_lead=numbers[2])
        if size != Layout(geometry).size:
            raise ServerError(f"expected an arena of {Layout(geometry).size} bytes, got {size}; restart `starling serve`")
        return cls(fd, geometry, Memory(fd, size), bells)

    @property
    def fds(self) -> tuple[int, ...]:
        """What a child must inherit, under the same numbers (``pass_fds``)."""
        return (self.fd, *(bell.fd for bell in (self.supervisor_bell, self.gateway_bell, *self.worker_bells)))

    def generation(self, slot: int) -> int:
        """Which of the slot's sessions has it now."""
        return self.slots.load(SlotColumn.LIFE, slot) >> 8

    def holds(self, slot: int) -> Hold:
        """Why the slot is not free."""
        return Hold(self.slots.load(SlotColumn.LIFE, slot) & 0xFF)

    def find(self, session_id: str) -> int | None:
        """The slot of a session."""
        for slot in np.flatnonzero(self.slots.column(SlotColumn.KEY) == np.uint64(key_of(session_id))).tolist():
            life = self.slots.load(SlotColumn.LIFE, slot)
            if life & 0xFF & ~Hold.OPENED and self.session_id(slot, life >> 8) == session_id:
                return int(slot)
        return None

    def session_id(self, slot: int, generation: int) -> str | None:
        """Whose the slot is, or None if it is no longer of ``generation``."""
        opening = self.opening.read(slot, generation)
        return None if opening is None else opening[1 : 1 + opening[0]].decode()

    def opening_of(self, slot: int, generation: int) -> bytes | None:
        """What describes the session of that generation, besides its id."""
        opening = self.opening.read(slot, generation)
        return None if opening is None else opening[1 + opening[0] :]

    def owner(self, slot: int) -> int | None:
        """The worker that has the slot's session."""
        grant = self.slots.load(SlotColumn.GRANT, slot)
        owner = (grant & 0xFFFF) - 1
        return owner if owner >= 0 and grant >> 32 == self.generation(slot) else None

    def granted(self, slot: int) -> int:
        """How often the slot's session was given to a worker."""
        grant = self.slots.load(SlotColumn.GRANT, slot)
        return grant >> 16 & 0xFFFF if grant >> 32 == self.generation(slot) else 0

    def wake_owner(self, slot: int) -> None:
        """Ring for the worker that has the slot's session, or for the supervisor if none has."""
        owner = self.owner(slot)
        (self.supervisor_bell if owner is None else self.worker_bells[owner]).ring()

    def audio_at(self, slot: int, origin: int, position: int) -> int:
        """Where in memory ``position`` lies, in a record that begins at ``origin``: a record is never cut."""
        return self.layout.audio.at(slot) + 2 * (origin % self.layout.ring_samples + position - origin)

    def audio(self, slot: int, origin: int, start: int, end: int) -> Samples:
        """The samples from position ``start`` to ``end`` of the record that begins at ``origin``, in place and read-only.

        They may be overwritten once a checkpoint lies a piece past them.
        """
        first = self.audio_at(slot, origin, start) // 2
        samples: Samples = self._samples[first : first + end - start]
        return samples

    def give_back_audio(self, slot: int, start: int, end: int) -> None:
        """Return to the system what holds the samples from position ``start`` to ``end``, as far as that is whole pages."""
        ring = self.layout.ring_samples
        while start < end:
            count = min(end - start, ring - start % ring)
            self.memory.give_back(self.audio_at(slot, start, start), 2 * count)
            start += count

    def give_back(self, slot: int) -> None:
        """Return the slot's memory to the system: it is as if nothing had ever been written to its cells and rings."""
        self.memory.give_back(self.layout.slots.at(slot), self.layout.slots.stride)

    def close(self) -> None:
        """Unmap it. The file descriptors of an attached arena stay open until its process ends."""
        for table in (self.slots, self.gateway, self.workers):
            table._columns.clear()  # noqa: SLF001 - they keep the mapping
        self._samples = np.zeros(0, np.int16)
        self.memory.close()


def key_of(name: str) -> int:
    """A word that finds a session by its id, or whoever else has a ``name``. Never 0."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little") or 1


def _close(fds: list[int]) -> None:
    for fd in fds:
        with suppress(OSError):
            os.close(fd)
