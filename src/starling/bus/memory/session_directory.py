"""SessionDirectory in memory."""

from __future__ import annotations

from collections.abc import Sequence

from starling.core.sessions import SessionEntry


class MemorySessionDirectory:
    """SessionDirectory in memory."""

    def __init__(self) -> None:
        self._entries: dict[str, SessionEntry] = {}

    def put(self, entry: SessionEntry) -> None:
        self._entries[entry.session_id] = entry

    def get(self, session_id: str) -> SessionEntry | None:
        return self._entries.get(session_id)

    def remove(self, session_id: str) -> None:
        self._entries.pop(session_id, None)

    def entries(self) -> Sequence[SessionEntry]:
        return list(self._entries.values())
