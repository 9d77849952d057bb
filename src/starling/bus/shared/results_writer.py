"""A worker's end of the result bus: what recognition says goes into the slot's ring, and partials into its end."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from starling.bus.history import KEPT, Progress, Stage
from starling.bus.shared.arena import Arena
from starling.bus.shared.cells import CAPACITY
from starling.bus.shared.events import HEADER, NO_SEGMENT, Partial, ResultsEnd, measure, pack_event
from starling.bus.shared.layout import Hold, SlotColumn
from starling.bus.shared.results_reader import results_end
from starling.core.errors import ServerError
from starling.core.transcript import SessionEvent, Transcript


@dataclass(slots=True)
class _Channel:
    slot: int
    generation: int
    end: ResultsEnd
    progress: Progress


class ResultsWriter:
    """Writes events of the sessions that ``worker`` owns; ``None`` is the supervisor, for sessions that nobody owns.

    Events of others' sessions are dropped. ``kept``: lasting events of each session.
    """

    def __init__(self, arena: Arena, worker: int | None, *, kept: int = KEPT) -> None:
        self._arena = arena
        self._worker = worker
        self._kept = kept
        self._channels: dict[str, _Channel] = {}

    def publish(self, event: SessionEvent) -> None:
        """Say it, unless it was said: whoever had the session before may have come further than its last checkpoint."""
        channel = self._channel(event.session_id)
        if channel is None or (new := channel.progress.accept(event)) is None:
            return
        if isinstance(new, Transcript) and not new.is_final:
            self._partial(channel, new)
        else:
            self._lasting(channel, new)
        if channel.progress.over:
            self._channels.pop(new.session_id, None)
        self._arena.gateway_bell.ring()

    def _channel(self, session_id: str) -> _Channel | None:
        channel = self._channels.get(session_id)
        slot = self._arena.find(session_id) if channel is None else channel.slot
        if slot is None:
            return None
        generation = self._arena.generation(slot)
        if channel is not None and channel.generation != generation:  # over, and its slot another's
            del self._channels[session_id]
            return self._channel(session_id)
        if not self._may_write(slot, generation):
            self._channels.pop(session_id, None)
            return None
        if channel is None:
            channel = self._channels[session_id] = self._recovered(slot, generation)
        return channel

    def _may_write(self, slot: int, generation: int) -> bool:
        released = self._table_word(SlotColumn.RELEASED, slot) == generation
        return bool(self._arena.holds(slot) & Hold.RESULTS) and self._arena.owner(slot) == self._worker and not released

    def _table_word(self, column: SlotColumn, slot: int) -> int:
        return self._arena.slots.load(column, slot)

    def _recovered(self, slot: int, generation: int) -> _Channel:
        """Where the one before stopped: what it said is all there is to know of that."""
        end = results_end(self._arena, slot, generation)
        newest = (partial.transcript for partial in end.open.values())
        return _Channel(slot, generation, end, Progress(final=end.final, told=end.told, newest=newest, over=end.over))

    def _partial(self, channel: _Channel, transcript: Transcript) -> None:
        end = channel.end
        partial = Partial(end.partials, end.next, transcript)
        end = replace(end, partials=end.partials + 1, open={**end.open, transcript.segment_id: partial})
        if len(end.pack()) <= CAPACITY:  # captions of that length can wait for their final
            self._publish(channel, end)

    def _lasting(self, channel: _Channel, event: SessionEvent) -> None:
        data = pack_event(event, channel.end.next)
        ring = self._arena.results
        if len(data) > CAPACITY:
            raise ServerError(f"expected an event of at most {CAPACITY} bytes, got {len(data)}")
        end = self._with_room(channel, len(data))
        if end.oldest != channel.end.oldest:
            self._publish(channel, end)  # before anything is overwritten
        ring.write(channel.slot, end.written, data)
        final = event.segment_id if isinstance(event, Transcript) else NO_SEGMENT
        still = {segment: partial for segment, partial in end.open.items() if segment > final}
        said = channel.progress
        told: dict[int, Collection[Stage]] = {segment: set(stages) for segment, stages in said.told.items()}
        end = replace(end, written=end.written + len(data), next=end.next + 1, open=still)
        self._publish(channel, replace(end, final=said.final, over=said.over, told=told))

    def _with_room(self, channel: _Channel, length: int) -> ResultsEnd:
        """The oldest events given up that stand in the way."""
        end, ring = replace(channel.end), self._arena.results
        while end.next - end.first >= self._kept or end.written + length - end.oldest > ring.limit:
            size, segment = measure(ring.read(channel.slot, end.oldest, HEADER))
            end.oldest += size
            end.first += 1
            end.lost = max(end.lost, segment)
        return end

    def _publish(self, channel: _Channel, end: ResultsEnd) -> None:
        self._arena.results_end.write(channel.slot, channel.generation, end.pack())
        channel.end = end
