"""ResultBus over shared memory: one end for each worker, one for the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from starling.bus.memory import MemorySubscription
from starling.bus.shared.arena import Arena
from starling.bus.shared.bells import Watch
from starling.bus.shared.layout import Hold, SlotColumn
from starling.bus.shared.results_reader import ResultsReader
from starling.bus.shared.results_writer import ResultsWriter
from starling.bus.shared.slots import Slots
from starling.core.errors import IllegalTransition, ResultsLost, SessionGone
from starling.core.ports import Subscription
from starling.core.transcript import SessionEvent, SessionFailed


class WorkerResultBus:
    """The ResultBus of a worker: it publishes."""

    def __init__(self, writer: ResultsWriter) -> None:
        self._writer = writer

    async def subscribe(self, session_id: str, *, after: int | None = None) -> Subscription:  # noqa: ARG002 - the port's
        _not_here("listens to results", "the gateway")

    async def publish(self, event: SessionEvent) -> None:
        self._writer.publish(event)

    async def forget(self, session_id: str) -> None:  # noqa: ARG002 - the port's
        _not_here("forgets results", "the gateway")


@dataclass(slots=True)
class _Listening:
    session_id: str
    generation: int
    reader: ResultsReader
    subscription: MemorySubscription


class GatewayResultBus:
    """The ResultBus of the gateway: it listens. What is new is fetched from the arena whenever its bell rings."""

    def __init__(self, arena: Arena, slots: Slots, watch: Watch) -> None:
        self._arena = arena
        self._slots = slots
        self._watch = watch
        self._listening: dict[int, _Listening] = {}
        self._seen = np.zeros(arena.geometry.slots, np.uint64)

    async def subscribe(self, session_id: str, *, after: int | None = None) -> MemorySubscription:
        slot = self._slots.find(session_id, Hold.RESULTS)
        if after is None:
            if slot is not None:
                await self.forget(session_id)
            slot = self._slots.hold(session_id, Hold.RESULTS)
        elif slot is None:
            raise SessionGone(f"nothing is kept of session {session_id}")
        generation = self._arena.generation(slot)
        reader = ResultsReader(self._arena, slot, generation)
        subscription = MemorySubscription(() if after is None else reader.missed(after))
        self._close(slot)
        self._listening[slot] = _Listening(session_id, generation, reader, subscription)
        self._watch.add(self._look)
        return subscription

    async def publish(self, event: SessionEvent) -> None:  # noqa: ARG002 - the port's
        _not_here("publishes results", "a worker")

    async def forget(self, session_id: str) -> None:
        slot = self._slots.find(session_id, Hold.RESULTS)
        if slot is not None:
            self._close(slot)
            self._slots.drop(slot, Hold.RESULTS)

    def _close(self, slot: int) -> None:
        if (listening := self._listening.pop(slot, None)) is not None:
            listening.subscription.close()
            if not self._listening:
                self._watch.discard(self._look)

    def _look(self) -> None:
        """Hand out what was said since the last look."""
        now = self._arena.slots.column(SlotColumn.RESULTS).copy()
        for slot in np.flatnonzero(now != self._seen).tolist():
            if (listening := self._listening.get(slot)) is not None:
                self._hear(listening)
        self._seen = now

    @staticmethod
    def _hear(listening: _Listening) -> None:
        try:
            events = listening.reader.new()
        except ResultsLost as lost:
            events = [SessionFailed(listening.session_id, lost.code, lost.message)]
        for event in events:
            listening.subscription.put(event)


def _not_here(what: str, who: str) -> NoReturn:
    raise IllegalTransition(f"only {who} {what}")
