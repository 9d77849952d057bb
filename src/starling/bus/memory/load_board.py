"""LoadBoard in memory."""

from __future__ import annotations

from collections.abc import Mapping

from starling.core.load import Load


class MemoryLoadBoard:
    """LoadBoard in memory."""

    def __init__(self) -> None:
        self._loads: dict[str, Load] = {}

    def post(self, worker_id: str, load: Load) -> None:
        self._loads[worker_id] = load

    def withdraw(self, worker_id: str) -> None:
        self._loads.pop(worker_id, None)

    def loads(self) -> Mapping[str, Load]:
        return dict(self._loads)
