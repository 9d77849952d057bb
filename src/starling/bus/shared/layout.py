"""Where everything lies in the arena. Whoever changes this file raises ``VERSION``.

::

    header            magic, version, geometry, numbers of the eventfds
    slot columns      one word per slot each: what changes, side by side, so that one comparison finds who moved
    process columns   the same for the gateway and the workers
    loads             a cell per worker
    slots             per slot: five cells, a ring of records, a ring of results, a ring of audio

A column has one writer at a time. The *gateway* gives slots to sessions and writes what clients say; the *supervisor* gives slots
to workers; the *owner*, a worker, writes what recognition says. Ownership moves only after the process of the previous owner was
reaped, so nobody writes for somebody else.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final

from starling.bus.shared.memory import WORD
from starling.core.audio import SAMPLE_RATE
from starling.core.errors import ServerError

MAGIC: Final = b"STARLING"
VERSION: Final = 2
HEADER: Final = struct.Struct("<8s4Q")
BELLS_AT: Final = 64
"""Where the numbers of the eventfds begin, a word each."""

PIECE: Final = 2 * SAMPLE_RATE
"""Samples of one record of audio at most."""

CELL: Final = 128 * 1024
"""Bytes of one buffer of a cell: the most hot words that a session may have take 46 kB."""

RECORDS: Final = 512 * 1024
"""Bytes of a slot's ring of records."""

RESULTS: Final = 512 * 1024
"""Bytes of a slot's ring of results: over a thousand finals, or about a hundred and fifty long ones with their words' times."""


class SlotColumn(IntEnum):
    """What every slot has a word for, and who writes it."""

    LIFE = 0
    """Gateway: ``generation << 8 | Hold``. The generation counts the sessions that had the slot."""
    KEY = 1
    """Gateway: digest of the session id."""
    OPENING = 2
    """Gateway: version of the cell that says how the session opens."""
    ENTRY = 3
    """Gateway: version of the cell with the directory's entry."""
    LOG = 4
    """Gateway: version of the cell with the end of the log; it moves with every append."""
    END = 5
    """Gateway: position after the last sample on the log."""
    GRANT = 6
    """Supervisor: ``generation << 32 | epoch << 16 | worker + 1``; nobody owns a slot whose grant is of another generation."""
    RELEASED = 7
    """Owner, or the supervisor of a slot that nobody owns: the generation whose log nobody follows any more."""
    CHECKPOINT = 8
    """Owner: version of the cell with the last checkpoint."""
    COMMITTED = 9
    """Owner: position of the last checkpoint."""
    HEAD = 10
    """Owner: where in the ring of records the oldest begins that is still needed."""
    RESULTS = 11
    """Owner: version of the cell with the end of the results; it moves with every event."""


class Hold(IntFlag):
    """Why a slot is not free."""

    LOG = 1
    """Its session is on the audio log."""
    RESULTS = 2
    """Its results are kept."""
    ENTRY = 4
    """It is in the session directory."""
    OPENED = 8
    """Its session was on the log: the slot stays until RELEASED says that no worker looks at it."""


class ProcessColumn(IntEnum):
    """What the gateway and every worker have a word for. Each writes its own row, but for what the supervisor writes."""

    PID = 0
    """Supervisor: process id, or 0."""
    STATE = 1
    """A ProcessState. The process; the supervisor, while there is none."""
    HEARTBEAT = 2
    """``time.monotonic_ns()`` of its last sign of life."""
    LOAD = 3
    """Version of the cell with its load. Workers only."""


class ProcessState(IntEnum):
    """How far a process is."""

    ABSENT = 0
    STARTING = 1
    READY = 2
    DRAINING = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """``slots``: sessions at most. ``workers``: worker processes at most. ``max_lead``: samples ahead of a checkpoint at most."""

    slots: int
    workers: int
    max_lead: int

    def __post_init__(self) -> None:
        if min(self.slots, self.workers, self.max_lead) < 1:
            raise ServerError(f"expected at least one slot, worker and sample, got {self}")


@dataclass(frozen=True, slots=True)
class Area:
    """``count`` pieces of memory of ``stride`` bytes, from ``base`` on."""

    base: int
    stride: int

    def at(self, row: int) -> int:
        return self.base + row * self.stride


class Layout:
    """Offsets in bytes. Areas of a slot begin on pages, so that a freed slot's memory can be given back."""

    def __init__(self, geometry: Geometry) -> None:
        slots, workers = geometry.slots, geometry.workers
        self.header = _pages(BELLS_AT + WORD * (workers + 2))
        self.slot_columns = Area(self.header, WORD * slots)
        self.gateway_columns = Area(self.slot_columns.at(len(SlotColumn)), WORD)
        self.worker_columns = Area(self.gateway_columns.at(len(ProcessColumn)), WORD * workers)
        self.loads = Area(_pages(self.worker_columns.at(len(ProcessColumn))), 2 * CELL)
        self.ring_samples = _pages(2 * (geometry.max_lead + 2 * PIECE)) // 2
        """Samples after which the ring of audio begins anew.

        What lies before the last checkpoint by less than a piece may still be read, and a record is never cut at the end.
        """
        sizes = {
            "opening": 2 * CELL,
            "entry": 2 * CELL,
            "log": 2 * CELL,
            "checkpoint": 2 * CELL,
            "results_end": 2 * CELL,
            "records": RECORDS + CELL,
            "results": RESULTS + CELL,
            "audio": 2 * (self.ring_samples + PIECE),
        }
        self.slots = Area(self.loads.at(workers), sum(_pages(size) for size in sizes.values()))
        starts, start = {}, self.slots.base
        for name, size in sizes.items():
            starts[name] = Area(start, self.slots.stride)
            start += _pages(size)
        self.opening, self.entry, self.log = starts["opening"], starts["entry"], starts["log"]
        self.checkpoint, self.results_end = starts["checkpoint"], starts["results_end"]
        self.records, self.results, self.audio = starts["records"], starts["results"], starts["audio"]
        self.size = self.slots.at(slots)


def _pages(size: int) -> int:
    return -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
