"""The gateway's end of the audio log: what clients say goes into the arena, once."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from starling.bus.shared.arena import Arena
from starling.bus.shared.layout import PIECE, Hold, SlotColumn
from starling.bus.shared.messages import HEADER, Kind, LogEnd, Message, control_message, pack_opened, patch
from starling.bus.shared.slots import Slots
from starling.core.errors import IllegalTransition, InvalidMessage, SessionGone
from starling.core.records import Audio, Configure, Ended, Finalize, Gap, Opened, SessionRecord, Tail

GIVE_BACK: Final = 4 * PIECE
"""Samples that no checkpoint needs any more, before their memory is given back."""


class LogWriter:
    """Writes records. Does not wait: who has no room asks again.

    Audio next to audio becomes one record when the ring of records is half full, so that the number of small ones is bounded by
    their audio; a flood of controls is refused.
    """

    def __init__(self, arena: Arena, slots: Slots, *, max_lead: int | None = None) -> None:
        self._arena = arena
        self._slots = slots
        self._max_lead = arena.geometry.max_lead if max_lead is None else max_lead
        self._ends: dict[int, tuple[int, LogEnd]] = {}
        self._needed: dict[int, int] = {}  # by slot, the position before which memory was given back

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
        self._ends[slot] = generation, end
        self._needed[slot] = checkpoint.position
        self._slots.hold(opened.session_id, Hold.LOG | Hold.OPENED)
        self._arena.supervisor_bell.ring()

    def offer(self, record: SessionRecord) -> bool:
        """Add ``record`` (audio of at most a PIECE), or say that it must wait.

        Raises SessionGone for a session that is not open, InvalidMessage for too many controls in too little audio.
        """
        slot = self._slot(record.session_id)
        end = self._end(slot)
        if not isinstance(record, Audio | Gap):
            self._control(slot, end, record)
            return True
        committed = self._arena.slots.load(SlotColumn.COMMITTED, slot)
        if end.position - committed >= self._max_lead:
            return False
        if record.end > end.position:
            self._give_back(slot, committed, end.position)
            self._sound(slot, end, record)
        return True

    def has_room(self, session_id: str) -> bool:
        """Audio need not wait any more, or will be refused."""
        slot = self._slots.find(session_id, Hold.LOG)
        if slot is None:
            return True
        table = self._arena.slots
        return table.load(SlotColumn.END, slot) - table.load(SlotColumn.COMMITTED, slot) < self._max_lead

    def tail(self, session_id: str) -> Tail:
        """How far the records go. Raises SessionGone."""
        return self._end(self._slot(session_id)).tail

    def forget(self, session_id: str) -> None:
        """Take the session off the log."""
        slot = self._slots.find(session_id, Hold.LOG)
        if slot is not None:
            self._slots.drop(slot, Hold.LOG)

    def lag(self) -> int:
        """Samples staged over all sessions."""
        table = self._arena.slots
        on_log = (table.column(SlotColumn.LIFE) & np.uint64(Hold.LOG)) != 0
        ahead = table.column(SlotColumn.END).astype(np.int64) - table.column(SlotColumn.COMMITTED).astype(np.int64)
        return int(np.maximum(ahead, 0)[on_log].sum())

    def _slot(self, session_id: str) -> int:
        slot = self._slots.find(session_id, Hold.LOG)
        if slot is None or self._arena.slots.load(SlotColumn.RELEASED, slot) == self._arena.generation(slot):
            raise SessionGone(f"session {session_id} is not open on this log")
        return slot

    def _end(self, slot: int) -> LogEnd:
        generation = self._arena.generation(slot)
        known = self._ends.get(slot)
        if known is not None and known[0] == generation:
            return known[1]
        data = self._arena.log.read(slot, generation)
        assert data is not None, "a session that is on the log has an end there"
        end = LogEnd.unpack(data)
        self._ends[slot] = generation, end
        return end

    def _control(self, slot: int, end: LogEnd, record: Finalize | Configure | Ended) -> None:
        """Of controls of one kind with no audio between them only the last counts."""
        ordinal = end.ordinals + 1
        control = control_message(record, end.position, ordinal)
        end = replace(
            end,
            sequence=record.sequence,
            received=record.received,
            ordinals=ordinal,
            ended=end.ended or isinstance(record, Ended),
            controls=(*(before for before in end.controls if before.kind is not control.kind), control),
        )
        self._publish(slot, end)

    def _sound(self, slot: int, end: LogEnd, record: Audio | Gap) -> None:
        """Add audio, or a gap, from where the log ends: what is known already stays as it was."""
        start = max(record.start, end.position)
        used = end.written - self._arena.slots.load(SlotColumn.HEAD, slot)
        if isinstance(record, Audio) and used > self._arena.records.limit // 2 and _joins(record, end):
            after = replace(end, grown=True)
        else:
            after = self._next(slot, end, record, start, used)
        if isinstance(record, Audio):
            samples = np.ascontiguousarray(record.samples[start - record.start :], np.int16)
            self._arena.memory.write(self._arena.audio_at(slot, after.origin, start), samples)
        after = replace(after, sequence=record.sequence, position=record.end, received=record.received, arrived=record.arrived)
        self._publish(slot, after)

    def _next(self, slot: int, end: LogEnd, record: Audio | Gap, start: int, used: int) -> LogEnd:
        """Lay down a new record, behind the controls that wait."""
        controls = b"".join(control.pack() for control in end.controls)
        if used + len(controls) + HEADER > self._arena.records.limit:
            raise InvalidMessage("too many options and finalize requests in audio that is not recognized yet; send fewer")
        if end.grown:  # it is not the last one any more, and must say itself how far it goes
            at, data = patch(end.position)
            self._arena.records.write(slot, end.last + at, data)
        kind = Kind.AUDIO if isinstance(record, Audio) else Kind.GAP
        message = Message(HEADER, kind, record.sequence, start, record.end, record.arrived, record.received, 0)
        self._arena.records.write(slot, end.written, controls + message.pack())
        last = end.written + len(controls)
        origin = start if kind is Kind.AUDIO else -1
        return replace(end, written=last + HEADER, last=last, origin=origin, grown=False, controls=())

    def _publish(self, slot: int, end: LogEnd) -> None:
        generation = self._arena.generation(slot)
        self._arena.log.write(slot, generation, end.pack())
        self._ends[slot] = generation, end
        self._arena.slots.store(SlotColumn.END, slot, end.position)
        self._arena.wake_owner(slot)

    def _give_back(self, slot: int, committed: int, end: int) -> None:
        """Return the memory of audio that lies a piece and more before the last checkpoint: no record reaches back so far."""
        needed, before = committed - PIECE, self._needed.setdefault(slot, 0)
        if needed - before >= GIVE_BACK:
            # What the ring has been through since is in use again.
            self._arena.give_back_audio(slot, max(before, end + PIECE - self._arena.layout.ring_samples), needed)
            self._needed[slot] = needed


def _joins(record: Audio, end: LogEnd) -> bool:
    """``record`` can become part of the last record."""
    adjacent = end.origin >= 0 and not end.controls and record.start <= end.position
    return adjacent and record.end - end.origin <= PIECE
