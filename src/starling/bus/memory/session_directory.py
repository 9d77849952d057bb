"""SessionDirectory in memory."""

from __future__ import annotations

from collections.abc import Sequence

from starling.core.sessions import SessionEntry


class MemorySessionDirectory:
    """SessionDirectory in memory."""

    def __init__(self) -> None:
        self._entries: dict[str, SessionEntry] = {}

    async def put(self, entry: SessionEntry) -> None:
        self._entries[entry.session_id] = entry

    async def get(self, session_id: str) -> SessionEntry | None:
        return self._entries.get(session_id)

    async def find(self, token_digest: bytes) -> SessionEntry | None:
        found = (entry for entry in self._entries.values() if entry.token_digest == token_digest)
        return next(found, None) if token_digest else None

    async def claim(self, session_id: str) -> None:
        """There is one gateway at a time."""

    async def holds(self, session_id: str) -> bool:
        return session_id in self._entries

    async def remove(self, session_id: str) -> None:
        self._entries.pop(session_id, None)

    async def entries(self) -> Sequence[SessionEntry]:
        return list(self._entries.values())
