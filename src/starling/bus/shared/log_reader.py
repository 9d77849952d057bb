"""A worker's end of the audio log: it reads the records of the sessions it owns in place, and writes their checkpoints."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from starling.bus.shared.arena import Arena
from starling.bus.shared.layout import Hold, SlotColumn
from starling.bus.shared.messages import (
    RECORD,
    Kind,
    LogEnd,
    Message,
    pack_checkpoint,
    unpack,
    unpack_checkpoint,
    unpack_opened,
)
from starling.core.records import Audio, Checkpoint, Ended, EndReason, Gap, Opened, Record


@dataclass(slots=True)
class _Reading:
    """How far a session was read.

    ``at``: the next record in the ring. ``last_at``: the last one of sound; ``end``: how far that went when it was read;
    ``origin``: where it begins if it is audio, or -1; ``sequence``: its number. ``ordinal``: the last control that was read.
    ``head``: the oldest record that the checkpoint in ``opened`` does not cover.
    """

    slot: int
    generation: int
    opened: Opened
    head: int
    at: int
    announced: bool = False
    last_at: int = -1
    end: int = 0
    origin: int = -1
    sequence: int = -1
    ordinal: int = 0


class LogReader:
    """Reads records. Does not wait: who finds nothing asks again once something changed."""

    def __init__(self, arena: Arena, worker: int) -> None:
        self._arena = arena
        self._table = arena.slots
        self._worker = worker
        self._readings: dict[int, _Reading] = {}
        self._slot_of: dict[str, int] = {}
        self._seen = {column: np.zeros(arena.geometry.slots, np.uint64) for column in (*_FATE, SlotColumn.LOG)}

    def rewind(self) -> None:
        """Read everything again, each session from its last checkpoint."""
        self._readings.clear()
        self._slot_of.clear()
        for seen in self._seen.values():
            seen[:] = 0

    def take(self) -> list[Record]:
        """What is new. A session that the gateway forgot ends here, whatever it has still to say."""
        elsewhere = np.zeros(self._table.rows, bool)
        for column in _FATE:
            elsewhere |= self._changed(column)
        records: list[Record] = []
        for slot in np.flatnonzero(elsewhere | self._changed(SlotColumn.LOG)).tolist():
            reading = self._readings.get(slot)
            if reading is None or elsewhere[slot]:
                records += self._look(slot)
            else:
                self._read(reading, records)
        return records

    def _changed(self, column: SlotColumn) -> NDArray[np.bool_]:
        """Where ``column`` is not what it was the last time."""
        now, before = self._table.column(column).copy(), self._seen[column]
        self._seen[column] = now
        changed: NDArray[np.bool_] = now != before
        return changed

    def commit(self, session_id: str, checkpoint: Checkpoint) -> None:
        """Nothing before ``checkpoint`` is needed again. An older one, or one of a session of others, is ignored."""
        reading = self._mine(session_id)
        if reading is None or checkpoint.precedes(reading.opened.checkpoint):
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

    def _look(self, slot: int) -> list[Record]:
        """What is new of a slot that may have another fate now."""
        records: list[Record] = []
        generation, holds = self._arena.generation(slot), self._arena.holds(slot)
        reading = self._readings.get(slot)
        if reading is not None and reading.generation != generation:
            self._drop(slot)
        if self._arena.owner(slot) != self._worker or self._table.load(SlotColumn.RELEASED, slot) == generation:
            self._drop(slot)
        elif holds & Hold.LOG:
            reading = self._readings.get(slot) or self._open(slot, generation)
            if reading is not None:
                self._read(reading, records)
        elif holds & Hold.OPENED:  # the gateway has taken it off the log
            reading = self._readings.get(slot)
            self._release(slot, generation)
            if reading is not None and reading.announced:
                records.append(Ended(reading.opened.session_id, 0, EndReason.ERROR))
        return records

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
        opened, head = replace(unpack_opened(description), taken_over=self._arena.granted(slot) > 1), 0
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

    def _read(self, reading: _Reading, records: list[Record]) -> None:
        """Add what is new of a session."""
        data = self._arena.log.read(reading.slot, reading.generation)
        if data is None:
            self._seen[SlotColumn.LOG][reading.slot] = 0  # look again
            return
        end = LogEnd.unpack(data)
        if not reading.announced:
            reading.announced = True
            records.append(reading.opened)
        if reading.last_at >= reading.head:
            self._growth(reading, end, records)
        committed = reading.opened.checkpoint.position
        reading.at = max(reading.at, reading.head)
        while reading.at < end.written:
            fields = self._arena.records.unpack(reading.slot, reading.at, RECORD)
            if fields[1] <= Kind.GAP:
                self._sound(reading, end, fields, records)
            else:
                control = unpack(self._arena.records.read(reading.slot, reading.at, fields[0]))
                _control(reading, control, committed, records)
            reading.at += fields[0]
        for control in end.controls:
            _control(reading, control, committed, records)

    def _sound(self, reading: _Reading, end: LogEnd, fields: tuple[Any, ...], records: list[Record]) -> None:
        """Audio, or a gap. The last record goes to where the log ends, whatever it says itself."""
        _, kind, sequence, start, stop, arrived, received, _ = fields
        if reading.at == end.last:
            stop = end.position
        audible = kind == Kind.AUDIO
        reading.last_at, reading.end, reading.origin, reading.sequence = reading.at, stop, start if audible else -1, sequence
        session_id = reading.opened.session_id
        if stop <= reading.opened.checkpoint.position:
            return
        if audible:
            samples = self._arena.audio(reading.slot, start, start, stop)
            records.append(Audio(session_id, sequence, start, samples, arrived, received))
        else:
            records.append(Gap(session_id, sequence, start, stop - start, arrived, received))

    def _growth(self, reading: _Reading, end: LogEnd, records: list[Record]) -> None:
        """What was added to the last record since it was read."""
        if reading.origin < 0:
            return
        stop = end.position
        if reading.last_at != end.last:
            stop = self._arena.records.unpack(reading.slot, reading.last_at, RECORD)[4]
        if stop > reading.end:
            samples = self._arena.audio(reading.slot, reading.origin, reading.end, stop)
            session_id = reading.opened.session_id
            records.append(Audio(session_id, reading.sequence, reading.end, samples, end.arrived, end.received))
            reading.end = stop

    def _head(self, reading: _Reading, position: int) -> int:
        """Where the oldest record begins that a checkpoint at ``position`` does not cover. The last one stays: it may grow."""
        data = self._arena.log.read(reading.slot, reading.generation)
        last = reading.head if data is None else LogEnd.unpack(data).last
        at = reading.head
        while at < last:
            length, kind, _, _, stop, *_ = self._arena.records.unpack(reading.slot, at, RECORD)
            if stop > position or (stop == position and kind > Kind.GAP):
                break
            at += length
        return at


def _control(reading: _Reading, control: Message, committed: int, records: list[Record]) -> None:
    """A control, unless it was read, or is before the checkpoint: one at that very place may not have been seen."""
    if control.ordinal > reading.ordinal:
        reading.ordinal = control.ordinal
        if control.end >= committed:
            records.append(control.control(reading.opened.session_id))


_FATE = (SlotColumn.LIFE, SlotColumn.GRANT, SlotColumn.RELEASED)
"""What says whose a slot is."""
