"""LoadBoard over shared memory: a worker writes its row, everybody reads all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from starling.bus.shared.arena import Arena
from starling.core.errors import IllegalTransition
from starling.core.load import Load

_TAG: Final = 1
_NOTHING: Final = b""


class SharedLoadBoard:
    """``workers``: by id, the rows that this process may post to; none in the gateway."""

    def __init__(self, arena: Arena, workers: Mapping[str, int] | None = None) -> None:
        self._arena = arena
        self._rows = dict(workers or {})

    def post(self, worker_id: str, load: Load) -> None:
        if worker_id not in self._rows:
            raise IllegalTransition(f"worker {worker_id} posts where only {', '.join(self._rows) or 'nobody'} does")
        self._arena.loads.write(self._rows[worker_id], _TAG, msgspec.msgpack.encode((worker_id, load)))

    def withdraw(self, worker_id: str) -> None:
        if worker_id in self._rows:
            withdraw(self._arena, self._rows[worker_id])

    def loads(self) -> Mapping[str, Load]:
        return dict(self._posted().values())

    def by_row(self) -> Mapping[int, Load]:
        """The same, by the workers' rows."""
        return {row: load for row, (_, load) in self._posted().items()}

    def _posted(self) -> dict[int, tuple[str, Load]]:
        found = ((row, self._arena.loads.read(row, _TAG)) for row in range(self._arena.geometry.workers))
        return {row: msgspec.msgpack.decode(data, type=tuple[str, Load]) for row, data in found if data}


def withdraw(arena: Arena, worker: int) -> None:
    """Remove what the worker said: for the supervisor, once its process is reaped."""
    arena.loads.write(worker, _TAG, _NOTHING)
