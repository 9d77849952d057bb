"""SessionDirectory over shared memory: the gateway's, and found by the gateway that comes after it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from starling.bus.shared.arena import Arena
from starling.bus.shared.layout import Hold
from starling.bus.shared.slots import Slots
from starling.core.sessions import SessionEntry


class SharedSessionDirectory:
    """Every entry holds its session's slot. Raises Overloaded from ``put`` when none is free."""

    def __init__(self, arena: Arena, slots: Slots) -> None:
        self._arena = arena
        self._slots = slots

    async def put(self, entry: SessionEntry) -> None:
        slot = self._slots.place(entry.session_id)
        self._arena.entry.write(slot, self._arena.generation(slot), msgspec.msgpack.encode(entry))
        self._slots.hold(entry.session_id, Hold.ENTRY)

    async def get(self, session_id: str) -> SessionEntry | None:
        slot = self._slots.find(session_id, Hold.ENTRY)
        return None if slot is None else self._read(slot)

    async def find(self, token_digest: bytes) -> SessionEntry | None:
        found = (entry for entry in await self.entries() if entry.token_digest == token_digest)
        return next(found, None) if token_digest else None

    async def claim(self, session_id: str) -> None:
        """There is one gateway at a time."""

    async def holds(self, session_id: str) -> bool:
        return self._slots.find(session_id, Hold.ENTRY) is not None

    async def remove(self, session_id: str) -> None:
        slot = self._slots.find(session_id, Hold.ENTRY)
        if slot is not None:
            self._slots.drop(slot, Hold.ENTRY)

    async def entries(self) -> Sequence[SessionEntry]:
        return [entry for slot in self._slots.all(Hold.ENTRY) if (entry := self._read(slot)) is not None]

    def _read(self, slot: int) -> SessionEntry | None:
        data = self._arena.entry.read(slot, self._arena.generation(slot))
        return None if data is None else msgspec.msgpack.decode(data, type=SessionEntry)
