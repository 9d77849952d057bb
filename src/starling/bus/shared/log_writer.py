"""The gateway's end of the audio log: what clients say goes into the arena, once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from starling.bus.shared.arena import Arena
from starling.bus.shared.layout import PIECE, Hold, SlotColumn
from starling.bus.shared.messages import HEADER, LogEnd, control_message, pack_opened, pack_sound, patch
from starling.bus.shared.slots import Slots
from starling.core.errors import IllegalTransition, InvalidMessage, SessionGone
from starling.core.records import Audio, Configure, Ended, Finalize, Gap, Opened, SessionRecord, Tail

GIVE_BACK: Final = 4 * PIECE
"""Samples that no checkpoint needs any more, before their memory is given back."""


_SOUND: Final = (Audio, Gap)
_ON_LOG: Final = int(Hold.LOG)  # flags are slow


@dataclass(slots=True)
class _Log:
    """One session's. ``needed``: the position before which memory was given back."""

    slot: int
    generation: int
    end: LogEnd
    needed: int


class LogWriter:
    """Writes records. Does not wait: who has no room asks again.

    Audio next to audio becomes one record when the ring of records is half full, so that the number of small ones is bounded by
    their audio; a flood of controls is refused.
    """

    def __init__(self, arena: Arena, slots: Slots, *, max_lead: int | None = None) -> None:
        self._arena = arena
        self._table = arena.slots
        self._slots = slots
        self._max_lead = arena.geometry.max_lead if max_lead is None else max_lead
        self._logs: dict[int, _Log] = {}  # by slot

    def open(self, opened: Opened) -> None:
        """Begin a session. Raises IllegalTransition for one that is known, Overloaded when there is no slot."""
        if self._slots.find(opened.session_id, Hold.LOG | Hold.OPENED) is not None:
            raise IllegalTransition(f"session {opened.session_id} is open on this log already")
        slot = self._slots.describe(opened.session_id, pack_opened(opened))
        generation, checkpoint = self._arena.generation(slot), opened.checkpoint
        end = LogEnd(0, 0, -1, checkpoint.sequence, checkpoint.position, 0, 0, 0.0)
        self._arena.log.write(slot, generation, end.pack())
        self._arena.slots.store(SlotColumn.END, slot, checkpoint.position)
        self._arena.slots.store(SlotColumn.COMMITTED, slot, checkpoint.position)
        self._logs[slot] = _Log(slot, generation, end, checkpoint.position)
        self._slots.hold(opened.session_id, Hold.LOG | Hold.OPENED)
        self._arena.supervisor_bell.ring()

    def offer(self, record: SessionRecord) -> bool:
        """Add ``record`` (audio of at most a PIECE), or say that it must wait.

        Raises SessionGone for a session that is not open, InvalidMessage for too many controls in too little audio.
        """
        log = self._log(record.session_id)
        if not isinstance(record, _SOUND):
            self._control(log, record)
            return True
        committed = self._table.load(SlotColumn.COMMITTED, log.slot)
        if log.end.position - committed >= self._max_lead:
            return False
        if record.end > log.end.position:
            if committed - log.needed >= GIVE_BACK + PIECE:
                self._give_back(log, committed - PIECE)
            self._sound(log, record)
        return True

    def has_room(self, session_id: str) -> bool:
        """Audio need not wait any more, or will be refused."""
        slot = self._slots.find(session_id, Hold.LOG)
        if slot is None:
            return True
        return self._table.load(SlotColumn.END, slot) - self._table.load(SlotColumn.COMMITTED, slot) < self._max_lead

    def tail(self, session_id: str) -> Tail:
        """How far the records go. Raises SessionGone."""
        return self._log(session_id).end.tail

    def forget(self, session_id: str) -> None:
        """Take the session off the log."""
        slot = self._slots.find(session_id, Hold.LOG)
        if slot is not None:
            self._slots.drop(slot, Hold.LOG)

    def lag(self) -> int:
        """Samples staged over all sessions."""
        table = self._table
        on_log = (table.column(SlotColumn.LIFE) & np.uint64(Hold.LOG)) != 0
        ahead = table.column(SlotColumn.END).astype(np.int64) - table.column(SlotColumn.COMMITTED).astype(np.int64)
        return int(np.maximum(ahead, 0)[on_log].sum())

    def staged(self, session_id: str) -> tuple[int | None, int] | None:
        """The row of the worker that has the session, if one has, and the samples staged of it; None if it is not on the log."""
        slot = self._slots.find(session_id, Hold.LOG)
        if slot is None:
            return None
        ahead = self._table.load(SlotColumn.END, slot) - self._table.load(SlotColumn.COMMITTED, slot)
        return self._arena.owner(slot), max(0, ahead)

    def _log(self, session_id: str) -> _Log:
        slot = self._slots.of(session_id)
        life = 0 if slot is None else self._table.load(SlotColumn.LIFE, slot)
        if slot is None or not life & _ON_LOG or self._table.load(SlotColumn.RELEASED, slot) == life >> 8:
            raise SessionGone(f"session {session_id} is not open on this log")
        log = self._logs.get(slot)
        if log is None or log.generation != life >> 8:
            data = self._arena.log.read(slot, life >> 8)
            assert data is not None, "a session that is on the log has an end there"
            log = self._logs[slot] = _Log(slot, life >> 8, LogEnd.unpack(data), 0)
            self._table.store(SlotColumn.END, slot, log.end.position)  # another may have died before it had
        return log

    def _control(self, log: _Log, record: Finalize | Configure | Ended) -> None:
        """Of controls of one kind with no audio between them only the last counts."""
        end = log.end
        control = control_message(record, end.position, end.ordinals + 1)
        end.controls = (*(before for before in end.controls if before.kind is not control.kind), control)
        end.sequence, end.received, end.ordinals = record.sequence, record.received, control.ordinal
        end.ended = end.ended or isinstance(record, Ended)
        self._publish(log)

    def _sound(self, log: _Log, record: Audio | Gap) -> None:
        """Add audio, or a gap, from where the log ends: what is known already stays as it was."""
        end, start = log.end, max(record.start, log.end.position)
        used = end.written - self._table.load(SlotColumn.HEAD, log.slot)
        if used > self._arena.records.limit // 2 and isinstance(record, Audio) and _joins(record, end):
            end.grown = True
        else:
            self._next(log, record, start, used)
        if isinstance(record, Audio):
            samples = record.samples if start == record.start else record.samples[start - record.start :]
            self._arena.memory.write(self._arena.audio_at(log.slot, end.origin, start), np.ascontiguousarray(samples, np.int16))
        end.sequence, end.position, end.received, end.arrived = record.sequence, record.end, record.received, record.arrived
        self._publish(log)
        self._table.store(SlotColumn.END, log.slot, end.position)

    def _next(self, log: _Log, record: Audio | Gap, start: int, used: int) -> None:
        """Lay down a new record, behind the controls that wait."""
        end, ring = log.end, self._arena.records
        message = pack_sound(record, start)
        if end.controls:
            message = b"".join([*(control.pack() for control in end.controls), message])
        if used + len(message) > ring.limit:
            raise InvalidMessage("too many options and finalize requests in audio that is not recognized yet; send fewer")
        if end.grown:  # it is not the last one any more, and must say itself how far it goes
            at, data = patch(end.position)
            ring.write(log.slot, end.last + at, data)
        ring.write(log.slot, end.written, message)
        end.written += len(message)
        end.last = end.written - HEADER
        end.origin = start if isinstance(record, Audio) else -1
        end.grown, end.controls = False, ()

    def _publish(self, log: _Log) -> None:
        self._arena.log.write(log.slot, log.generation, log.end.pack())
        self._arena.wake_owner(log.slot)

    def _give_back(self, log: _Log, needed: int) -> None:
        """Return the memory of audio that lies a piece and more before the last checkpoint: no record reaches back so far."""
        # What the ring has been through since is in use again.
        used_again = log.end.position + PIECE - self._arena.layout.ring_samples
        self._arena.give_back_audio(log.slot, max(log.needed, used_again), needed)
        log.needed = needed


def _joins(record: Audio, end: LogEnd) -> bool:
    """``record`` can become part of the last record."""
    adjacent = end.origin >= 0 and not end.controls and record.start <= end.position
    return adjacent and record.end - end.origin <= PIECE
