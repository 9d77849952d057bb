"""Which session has which slot: the gateway's words in the arena.

A slot is held for up to three reasons (``Hold``), and free again once none is left and no worker looks at it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from starling.bus.shared.arena import Arena, key_of
from starling.bus.shared.layout import Hold, SlotColumn
from starling.core.errors import Overloaded

LONGEST_ID: Final = 255
"""Bytes of a session id at most."""

RETRY_AFTER: Final = 1.0
"""Seconds after which a session that found no slot may try again."""


class Slots:
    """The gateway's hand. One process at a time may have it; a new one finds the sessions of the one before."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self._table = arena.slots
        self._of: dict[str, int] = {}
        for slot in np.flatnonzero(self._table.column(SlotColumn.LIFE) & np.uint64(0xFF)).tolist():
            session_id = arena.session_id(slot, arena.generation(slot))
            if session_id is None:
                self._free(slot)
            else:
                self._of[session_id] = slot
                self._settle(slot)

    def find(self, session_id: str, hold: Hold) -> int | None:
        """The slot of a session that has ``hold`` on it."""
        slot = self._of.get(session_id)
        return slot if slot is not None and self._arena.holds(slot) & hold else None

    def of(self, session_id: str) -> int | None:
        """The slot of a session, whatever holds it."""
        return self._of.get(session_id)

    def all(self, hold: Hold) -> list[int]:
        """Slots that are held for this reason."""
        return [slot for slot in self._of.values() if self._arena.holds(slot) & hold]

    def hold(self, session_id: str, hold: Hold) -> int:
        """Hold the session's slot for one more reason; a new session gets one. Raises Overloaded when none is free."""
        slot = self._of.get(session_id)
        if slot is None:
            slot = self.place(session_id)
        self._store(slot, self._arena.generation(slot), self._arena.holds(slot) | hold)
        return slot

    def describe(self, session_id: str, opening: bytes) -> int:
        """The session's slot, which it must hold at once, described by ``opening``. Raises Overloaded when none is free."""
        slot = self.place(session_id)
        self._arena.opening.write(slot, self._arena.generation(slot), _named(session_id) + opening)
        return slot

    def place(self, session_id: str) -> int:
        """The session's slot, which it must hold at once. Raises Overloaded when none is free."""
        slot = self._of.get(session_id)
        if slot is not None:
            return slot
        slot = self._free_one()
        if slot is None:
            raise Overloaded(
                f"all {self._table.rows} places for sessions are taken; try again later", gate="gateway", retry_after=RETRY_AFTER
            )
        generation = (self._arena.generation(slot) + 1) & 0xFFFFFFFF
        self._arena.opening.write(slot, generation, _named(session_id))
        for column in (SlotColumn.END, SlotColumn.COMMITTED, SlotColumn.HEAD):
            self._table.store(column, slot, 0)
        self._table.store(SlotColumn.KEY, slot, key_of(session_id))
        self._store(slot, generation, Hold(0))
        self._of[session_id] = slot
        return slot

    def drop(self, slot: int, hold: Hold) -> None:
        """Hold the slot for this reason no more."""
        self._store(slot, self._arena.generation(slot), self._arena.holds(slot) & ~hold)
        if hold & Hold.LOG:
            self._arena.wake_owner(slot)
        self._settle(slot)

    def collect(self) -> list[int]:
        """Take off the log what its workers have released; the slots, of which some may be free now."""
        life = self._table.column(SlotColumn.LIFE).copy()
        holds = life & np.uint64(0xFF)
        kept = ((holds & np.uint64(Hold.LOG)) == 0) & ((holds & np.uint64(Hold.RESULTS | Hold.ENTRY)) != 0)
        released = self._table.column(SlotColumn.RELEASED) == life >> np.uint64(8)
        gone: list[int] = np.flatnonzero(released & ~kept & ((holds & np.uint64(Hold.OPENED)) != 0)).tolist()
        for slot in gone:
            if self._arena.holds(slot) & Hold.LOG:
                self._store(slot, self._arena.generation(slot), self._arena.holds(slot) & ~Hold.LOG)
            self._settle(slot)
        return gone

    def abandon_unlisted(self) -> list[str]:
        """Drop the sessions that are not in the directory: a gateway died before it had listed them. Their ids."""
        unlisted = [(name, slot) for name, slot in self._of.items() if not self._arena.holds(slot) & Hold.ENTRY]
        for _, slot in unlisted:
            self.drop(slot, Hold.LOG | Hold.RESULTS)
        return [name for name, _ in unlisted]

    def _free_one(self) -> int | None:
        for _ in range(2):
            free = np.flatnonzero((self._table.column(SlotColumn.LIFE) & np.uint64(0xFF)) == 0)
            if len(free):
                return int(free[0])
            self.collect()
        return None

    def _store(self, slot: int, generation: int, holds: int) -> None:
        self._table.store(SlotColumn.LIFE, slot, generation << 8 | int(holds))  # a flag of such a value would be kept for ever

    def _settle(self, slot: int) -> None:
        """Free the slot if nothing keeps it."""
        holds, generation = self._arena.holds(slot), self._arena.generation(slot)
        if holds & ~Hold.OPENED:
            return
        if not holds & Hold.OPENED or self._table.load(SlotColumn.RELEASED, slot) == generation:
            session_id = self._arena.session_id(slot, generation)
            self._free(slot)
            if session_id is not None and self._of.get(session_id) == slot:
                del self._of[session_id]

    def _free(self, slot: int) -> None:
        self._table.store(SlotColumn.KEY, slot, 0)
        self._arena.give_back(slot)
        self._store(slot, self._arena.generation(slot), 0)


def _named(session_id: str) -> bytes:
    name = session_id.encode()
    if len(name) > LONGEST_ID:
        raise ValueError(f"expected a session id of at most {LONGEST_ID} bytes, got {len(name)}")
    return bytes([len(name)]) + name
