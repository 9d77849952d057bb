from __future__ import annotations

from contracts.session_directory_contract import SessionDirectoryContract
from starling.bus.memory import MemorySessionDirectory


class TestMemorySessionDirectory(SessionDirectoryContract):
    def make(self) -> MemorySessionDirectory:
        return MemorySessionDirectory()
