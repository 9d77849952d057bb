"""The supervisor's view of the sessions: who has them, how far they are, how they are ended when nobody may have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starling.bus.shared.arena import Arena
from starling.bus.shared.layout import Hold, SlotColumn
from starling.bus.shared.load_board import SharedLoadBoard, withdraw
from starling.bus.shared.ownership import Ownership
from starling.bus.shared.results_writer import ResultsWriter
from starling.core.errors import StarlingError
from starling.core.load import Load
from starling.core.transcript import SessionFailed


class Custody:
    """``Sessions`` of the supervisor, over shared memory. A session is named by its ``key_of``."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self._ownership = Ownership(arena)
        self._results = ResultsWriter(arena, None)
        self._loads = SharedLoadBoard(arena)

    def waiting(self) -> Sequence[int]:
        """Slots of sessions that nobody has."""
        self._ownership.tidy()
        return self._ownership.waiting()

    def owned(self, worker: int) -> int:
        """How many sessions ``worker`` has."""
        return len(self._ownership.owned(worker))

    def loads(self) -> Mapping[int, Load]:
        """What each worker last said of itself, by its row."""
        return self._loads.by_row()

    def assign(self, slot: int, worker: int) -> None:
        """Give a session that nobody has to ``worker``."""
        self._ownership.assign(slot, worker)

    def reclaim(self, worker: int) -> int:
        """Take back all sessions of ``worker``, whose process was reaped; how many."""
        withdraw(self._arena, worker)
        return len(self._ownership.reclaim(worker))

    def commits(self) -> Mapping[int, int]:
        """The committed position of every open session, by its key."""
        slots = self._arena.slots
        keys, committed = slots.column(SlotColumn.KEY).tolist(), slots.column(SlotColumn.COMMITTED).tolist()
        return {keys[slot]: committed[slot] for slot in self._ownership.on_log()}

    async def fail(self, key: int, error: StarlingError) -> None:
        """End a session that nobody has, and let its client know why. Raises IllegalTransition if somebody has it."""
        keys = self._arena.slots.column(SlotColumn.KEY).tolist()
        for slot in self._ownership.on_log():
            if keys[slot] == key and (session_id := self._arena.session_id(slot, self._arena.generation(slot))):
                if self._arena.owner(slot) is None and self._arena.holds(slot) & Hold.RESULTS:
                    self._results.publish(SessionFailed(session_id, error.code, error.message))
                self._ownership.release(slot)
