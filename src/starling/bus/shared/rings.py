"""Bytes in the order of their writing, in a ring per row. Positions only grow; what lies at the end of a ring is never cut."""

from __future__ import annotations

import struct
from typing import Any

from starling.bus.shared.layout import CELL, Area
from starling.bus.shared.memory import Memory

SPILL = CELL
"""Bytes behind a ring, for what begins before its end and does not fit: one write at most."""


class Rings:
    """A ring of ``capacity`` bytes per row of ``area``.

    Writing is laying down data; the position that makes it valid is published elsewhere. Of the newest ``limit`` bytes nothing is
    overwritten.
    """

    def __init__(self, memory: Memory, area: Area, capacity: int) -> None:
        self._memory = memory
        self._area = area
        self._capacity = capacity
        self.limit = capacity - SPILL

    def write(self, row: int, position: int, data: Any) -> None:
        """Lay down ``data`` (bytes-like, at most SPILL) at ``position``."""
        self._memory.write(self._at(row, position), data)

    def read(self, row: int, position: int, length: int) -> bytes:
        """A copy of what lies at ``position``, within what was one write."""
        return self._memory.read(self._at(row, position), length)

    def unpack(self, row: int, position: int, layout: struct.Struct) -> tuple[Any, ...]:
        """What ``layout`` finds at ``position``."""
        return self._memory.unpack(self._at(row, position), layout)

    def _at(self, row: int, position: int) -> int:
        return self._area.at(row) + position % self._capacity
