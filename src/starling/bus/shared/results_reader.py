"""Reading a slot's results, wherever their writer has got to."""

from __future__ import annotations

from collections.abc import Iterator

from starling.bus.shared.arena import Arena
from starling.bus.shared.events import HEADER, ResultsEnd, measure, unpack_event
from starling.core.errors import ResultsLost
from starling.core.transcript import SessionDone, SessionEvent, SessionFailed

_LOST = "results that were missed are not kept any more; start a new session"


def results_end(arena: Arena, slot: int, generation: int) -> ResultsEnd:
    """How far the results of the slot's session go."""
    data = arena.results_end.read(slot, generation)
    return ResultsEnd() if data is None else ResultsEnd.unpack(data)


def kept_events(arena: Arena, slot: int, end: ResultsEnd, at: int | None = None) -> Iterator[SessionEvent]:
    """The lasting events from ``at`` in the ring on, or all that are kept. Raises ResultsLost if they were overwritten."""
    at = end.oldest if at is None else at
    if at < end.oldest:
        raise ResultsLost(_LOST)
    while at < end.written:
        length, _ = measure(arena.results.read(slot, at, HEADER))
        event = unpack_event(arena.results.read(slot, at, length)) if HEADER < length <= end.written - at else None
        if event is None:
            raise ResultsLost(_LOST)
        yield event
        at += length


class ResultsReader:
    """One gateway's place in the results of one session."""

    def __init__(self, arena: Arena, slot: int, generation: int) -> None:
        self._arena = arena
        self._slot = slot
        self._generation = generation
        self._at = 0
        self._events = 0
        self._partials = 0

    def missed(self, after: int) -> list[SessionEvent]:
        """What somebody missed who knows the final of segment ``after`` and all before. Raises ResultsLost."""
        end = results_end(self._arena, self._slot, self._generation)
        while True:
            if end.lost > after:
                raise ResultsLost(f"results up to segment {end.lost} are not kept any more; start a new session")
            try:
                kept = list(kept_events(self._arena, self._slot, end))
                break
            except ResultsLost:  # the oldest was overwritten just now
                before, end = end, results_end(self._arena, self._slot, self._generation)
                if end.oldest == before.oldest:
                    raise
        missed = [event for event in kept if isinstance(event, SessionDone | SessionFailed) or event.segment_id > after]
        if not end.over:
            missed += [partial.transcript for segment, partial in end.open.items() if segment > after]
        self._advance(end)
        return missed

    def new(self) -> list[SessionEvent]:
        """What was said since. Raises ResultsLost when the writer came round."""
        end = results_end(self._arena, self._slot, self._generation)
        lasting = list(kept_events(self._arena, self._slot, end, self._at))
        partials = [partial for partial in end.open.values() if partial.number >= self._partials]
        events: list[SessionEvent] = []
        for number, event in enumerate(lasting, self._events):
            while partials and partials[0].after <= number:
                events.append(partials.pop(0).transcript)
            events.append(event)
        events += [partial.transcript for partial in partials]
        self._advance(end)
        return events

    def _advance(self, end: ResultsEnd) -> None:
        self._at, self._events, self._partials = end.written, end.next, end.partials
