"""Which worker has which session: the supervisor's words in the arena.

A session that opens has no owner: it is in ``waiting()`` until the supervisor gives it to a worker. When a worker's process is
dead *and reaped*, ``reclaim`` takes its sessions back, and they are given to others, who go on at the last checkpoint. Policy
(who gets what, who is quarantined) is none of this module's business::

    ownership = Ownership(arena)
    for slot in ownership.waiting():
        ownership.assign(slot, worker)
    ownership.tidy()
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from starling.bus.shared.arena import Arena
from starling.bus.shared.layout import Hold, SlotColumn
from starling.core.errors import IllegalTransition

_OWNER = 0xFFFF
_EPOCHS = 0xFFFF


class Ownership:
    """The supervisor's hand. One process at a time may have it."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self._slots = arena.slots

    def waiting(self) -> list[int]:
        """Slots whose session is on the log and has no owner."""
        return _where(self._on_log() & (self.owners() < 0))

    def on_log(self) -> list[int]:
        """Slots whose session is on the log and not over."""
        return _where(self._on_log())

    def owned(self, worker: int) -> list[int]:
        """Slots whose session is on the log and with ``worker``."""
        return _where(self._on_log() & (self.owners() == worker))

    def owners(self) -> NDArray[np.int64]:
        """Shape ``[slots]``: the worker that has the slot, -1 for none."""
        grants, life = self._slots.column(SlotColumn.GRANT).copy(), self._slots.column(SlotColumn.LIFE).copy()
        owner = (grants & np.uint64(_OWNER)).astype(np.int64) - 1
        return np.where(grants >> np.uint64(32) == life >> np.uint64(8), owner, -1)

    def epoch(self, slot: int) -> int:
        """How often the slot's session was given to a worker."""
        return self._arena.granted(slot)

    def assign(self, slot: int, worker: int) -> None:
        """Give the slot's session to ``worker`` and wake it. Raises IllegalTransition if somebody has it."""
        if not 0 <= worker < self._arena.geometry.workers:
            raise IllegalTransition(f"expected a worker from 0 to {self._arena.geometry.workers - 1}, got {worker}")
        if (owner := int(self.owners()[slot])) >= 0:
            raise IllegalTransition(f"slot {slot} is worker {owner}'s: reclaim it first, once that process is reaped")
        self._grant(slot, self.epoch(slot) + 1, worker + 1)
        self._arena.worker_bells[worker].ring()

    def reclaim(self, worker: int) -> list[int]:
        """Take back everything that ``worker`` had; its process must have been reaped. The slots that wait for another owner."""
        slots = _where(self.owners() == worker)
        for slot in slots:
            self._grant(slot, self.epoch(slot), 0)
        self.tidy()
        return [slot for slot in slots if self._arena.holds(slot) & Hold.LOG]

    def release(self, slot: int) -> None:
        """Nobody will recognize the slot's session any more. Raises IllegalTransition if somebody has it."""
        if (owner := int(self.owners()[slot])) >= 0:
            raise IllegalTransition(f"slot {slot} is worker {owner}'s")
        self._slots.store(SlotColumn.RELEASED, slot, self._arena.generation(slot))
        self._arena.gateway_bell.ring()

    def tidy(self) -> None:
        """Release the slots that the gateway has taken off the log and that no worker has: those that have do it themselves."""
        life = self._slots.column(SlotColumn.LIFE).copy()
        gone = ((life & np.uint64(Hold.OPENED)) != 0) & ((life & np.uint64(Hold.LOG)) == 0)
        gone &= self._slots.column(SlotColumn.RELEASED) != life >> np.uint64(8)
        for slot in _where(gone & (self.owners() < 0)):
            self.release(slot)

    def _grant(self, slot: int, epoch: int, owner: int) -> None:
        word = self._arena.generation(slot) << 32 | (epoch & _EPOCHS) << 16 | owner
        self._slots.store(SlotColumn.GRANT, slot, word)

    def _on_log(self) -> NDArray[np.bool_]:
        """Those the owner has released are over, though the gateway may not have noticed."""
        life = self._slots.column(SlotColumn.LIFE).copy()
        on_log: NDArray[np.bool_] = (life & np.uint64(Hold.LOG)) != 0
        on_log &= self._slots.column(SlotColumn.RELEASED) != life >> np.uint64(8)
        return on_log


def _where(mask: NDArray[np.bool_]) -> list[int]:
    return [int(slot) for slot in np.flatnonzero(mask)]
