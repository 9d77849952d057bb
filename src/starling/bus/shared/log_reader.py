"""A worker's end of the audio log: it reads the records of the sessions it owns in place, and writes their checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from starling.bus.shared.arena import Arena
from starling.bus.shared.layout import Hold, SlotColumn
from starling.bus.shared.messages import (
    HEADER,
    Kind,
    LogEnd,
    Message,
    pack_checkpoint,
    unpack,
    unpack_checkpoint,
    unpack_opened,
)
from starling.core.records import Audio, Checkpoint, Gap, Opened, Record


@dataclass(slots=True)
class _Reading:
    """How far a session was read.

    ``at``: the next record in the ring. ``last``, ``last_at``: the one before, and ``end``, how far it went when it was read.
    ``ordinal``: the last control that was read. ``head``: the oldest record that the checkpoint in ``opened`` does not cover.
    """

    slot: int
    generation: int
    opened: Opened
    head: int
    at: int
    announced: bool = False
    last: Message | None = None
    last_at: int = -1
    end: int = 0
    ordinal: int = 0


class LogReader:
    """Reads records. Does not wait: who finds nothing asks again once something changed."""

    def __init__(self, arena: Arena, worker: int) -> None:
        self._arena = arena
        self._table = arena.slots
        self._worker = worker
        self._readings: dict[int, _Reading] = {}
        self._slot_of: dict[str, int] = {}
        self._seen = {column: np.zeros(arena.geometry.slots, np.uint64) for column in _WATCHED}

    def rewind(self) -> None:
        """Read everything again, each session from its last checkpoint."""
        self._readings.clear()
        self._slot_of.clear()
        for seen in self._seen.values():
            seen[:] = 0

    def take(self) -> list[Record]:
        """What is new."""
        changed = np.zeros(self._table.rows, bool)
        for column, seen in self._seen.items():
            now = self._table.column(column).copy()
            changed |= now != seen
            self._seen[column] = now
        return [record for slot in np.flatnonzero(changed).tolist() for record in self._look(slot)]

    def commit(self, session_id: str, checkpoint: Checkpoint) -> None:
        """Nothing before ``checkpoint`` is needed again. An older one, or one of a session of others, is ignored."""
        reading = self._mine(session_id)
        if reading is None or _order(checkpoint) < _order(reading.opened.checkpoint):
            return
        reading.opened = replace(reading.opened, checkpoint=checkpoint)
        reading.head = self._head(reading, checkpoint.position)
        self._arena.checkpoint.write(reading.slot, reading.generation, pack_checkpoint(checkpoint, reading.head))
        self._table.store(SlotColumn.HEAD, reading.slot, reading.head)
        self._table.store(SlotColumn.COMMITTED, reading.slot, checkpoint.position)
        self._arena.gateway_bell.ring()

    def forget(self, session_id: str) -> None:
        """The session is over: another may have its slot."""
        reading = self._mine(session_id)
        if reading is not None:
            self._release(reading.slot, reading.generation)

    def lag(self) -> int:
        """Samples staged over the sessions of this worker."""
        return sum(
            max(0, self._table.load(SlotColumn.END, slot) - self._table.load(SlotColumn.COMMITTED, slot))
            for slot in self._readings
        )

    # --- whose a slot is ---

    def _look(self, slot: int) -> Iterator[Record]:
        generation, holds = self._arena.generation(slot), self._arena.holds(slot)
        reading = self._readings.get(slot)
        if reading is not None and reading.generation != generation:
            self._drop(slot)
        if self._arena.owner(slot) != self._worker or self._table.load(SlotColumn.RELEASED, slot) == generation:
            self._drop(slot)
        elif holds & Hold.LOG:
            reading = self._readings.get(slot) or self._open(slot, generation)
            if reading is not None:
                yield from self._read(reading)
        elif holds & Hold.OPENED:  # the gateway has taken it off the log
            self._release(slot, generation)

    def _mine(self, session_id: str) -> _Reading | None:
        """What is read of a session that this worker owns."""
        slot = self._slot_of.get(session_id)
        if slot is None and (slot := self._arena.find(session_id)) is None:
            return None
        generation = self._arena.generation(slot)
        if self._arena.owner(slot) != self._worker or self._table.load(SlotColumn.RELEASED, slot) == generation:
            return None
        reading = self._readings.get(slot)
        if reading is None or reading.generation != generation or reading.opened.session_id != session_id:
            reading = self._open(slot, generation)
        return reading

    def _open(self, slot: int, generation: int) -> _Reading | None:
        description = self._arena.opening_of(slot, generation)
        if not description:
            return None
        opened, head = unpack_opened(description), 0
        committed = self._arena.checkpoint.read(slot, generation)
        if committed is not None:
            checkpoint, head = unpack_checkpoint(committed)
            opened = replace(opened, checkpoint=checkpoint)
            # Whoever had the slot before may have died before it had said so.
            self._table.store(SlotColumn.HEAD, slot, head)
            self._table.store(SlotColumn.COMMITTED, slot, checkpoint.position)
        reading = _Reading(slot, generation, opened, head=head, at=head)
        self._readings[slot] = reading
        self._slot_of[opened.session_id] = slot
        return reading

    def _drop(self, slot: int) -> None:
        reading = self._readings.pop(slot, None)
        if reading is not None and self._slot_of.get(reading.opened.session_id) == slot:
            del self._slot_of[reading.opened.session_id]

    def _release(self, slot: int, generation: int) -> None:
        self._drop(slot)
        self._table.store(SlotColumn.RELEASED, slot, generation)
        self._arena.gateway_bell.ring()

    # --- records ---

    def _read(self, reading: _Reading) -> Iterator[Record]:
        end = self._end(reading)
        if end is None:
            self._seen[SlotColumn.LOG][reading.slot] = 0  # look again
            return
        if not reading.announced:
            reading.announced = True
            yield reading.opened
        committed = reading.opened.checkpoint.position
        if reading.last_at < reading.head:
            reading.last = None
        if reading.last is not None and reading.last.kind is Kind.AUDIO:
            yield from self._growth(reading, end, reading.last)
        reading.at = max(reading.at, reading.head)
        while reading.at < end.written:
            message = self._message(reading, reading.at, end)
            if message.sounds:
                reading.last, reading.last_at, reading.end = message, reading.at, message.end
            reading.at += message.length
            yield from self._unless_known(reading, message, committed)
        for control in end.controls:
            yield from self._unless_known(reading, control, committed)

    def _growth(self, reading: _Reading, end: LogEnd, last: Message) -> Iterator[Record]:
        """What was added to the last record since it was read."""
        now = end.position if reading.last_at == end.last else self._message(reading, reading.last_at, end).end
        if now > reading.end:
            samples = self._arena.audio(reading.slot, last.start, reading.end, now)
            yield Audio(reading.opened.session_id, last.sequence, reading.end, samples, end.arrived, last.received)
            reading.end = now

    def _unless_known(self, reading: _Reading, message: Message, committed: int) -> Iterator[Record]:
        session_id = reading.opened.session_id
        if not message.sounds:
            if message.ordinal > reading.ordinal:
                reading.ordinal = message.ordinal
                if not message.covered_by(committed):
                    yield message.control(session_id)
        elif message.covered_by(committed):
            return
        elif message.kind is Kind.AUDIO:
            samples = self._arena.audio(reading.slot, message.start, message.start, message.end)
            yield Audio(session_id, message.sequence, message.start, samples, message.arrived, message.received)
        else:
            count = message.end - message.start
            yield Gap(session_id, message.sequence, message.start, count, message.arrived, message.received)

    def _end(self, reading: _Reading) -> LogEnd | None:
        data = self._arena.log.read(reading.slot, reading.generation)
        return None if data is None else LogEnd.unpack(data)

    def _message(self, reading: _Reading, at: int, end: LogEnd) -> Message:
        """The record that begins at ``at``. The last one goes to where the log ends, whatever it says itself."""
        message = unpack(self._arena.records.read(reading.slot, at, HEADER))
        if message.length > HEADER:
            message = unpack(self._arena.records.read(reading.slot, at, message.length))
        if at == end.last:
            message.end = end.position
        return message

    def _head(self, reading: _Reading, position: int) -> int:
        """Where the oldest record begins that a checkpoint at ``position`` does not cover. The last one stays: it may grow."""
        end = self._end(reading)
        at = reading.head
        while end is not None and at < end.last and (message := self._message(reading, at, end)).covered_by(position):
            at += message.length
        return at


_WATCHED = (SlotColumn.LIFE, SlotColumn.GRANT, SlotColumn.LOG, SlotColumn.RELEASED)


def _order(checkpoint: Checkpoint) -> tuple[int, int, int]:
    return checkpoint.position, checkpoint.next_segment, checkpoint.sequence
