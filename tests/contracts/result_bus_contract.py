"""What every ResultBus promises. A test module inherits ResultBusContract and says how to make its bus."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starling.core.ports import ResultBus, Subscription
from starling.core.transcript import (
    SegmentFailed,
    SessionDone,
    SessionEvent,
    SessionFailed,
    SpeechEnded,
    SpeechStarted,
    Transcript,
)
from virtual_time import run, settle

DONE = SessionDone("s", 100, 1)

PAUSES = st.lists(st.integers(0, 5), min_size=1, max_size=6)
"""Seconds after each event, in turn. Drawn beforehand: a task that draws may outlive its example."""


def transcript(segment_id: int, revision: int, *, is_final: bool = False, session_id: str = "s") -> Transcript:
    return Transcript(
        session_id=session_id,
        segment_id=segment_id,
        revision=revision,
        is_final=is_final,
        text="text",
        stable_text="",
        start=0,
        end=10,
    )


def final(segment_id: int, revision: int) -> Transcript:
    return transcript(segment_id, revision, is_final=True)


async def publish(bus: ResultBus, events: Sequence[SessionEvent]) -> None:
    for event in events:
        await bus.publish(event)
    await settle()


async def read(subscription: Subscription) -> list[SessionEvent]:
    """Every event until the end."""
    return [event async for event in subscription]


class ResultBusContract:
    def make(self) -> ResultBus:
        raise NotImplementedError

    @pytest.mark.parametrize("last", [DONE, SessionFailed("s", "internal", "broken")])
    def test_events_come_in_order_until_the_session_is_over(self, last: SessionEvent) -> None:
        async def scenario() -> None:
            bus = self.make()
            listening = asyncio.create_task(read(bus.subscribe("s")))
            events: list[SessionEvent] = [
                SpeechStarted("s", 0, 1),
                transcript(0, 1),
                transcript(0, 2),
                SpeechEnded("s", 0, 9, 12),
                final(0, 3),
                last,
            ]
            for event in events:
                await publish(bus, [event])
            assert await listening == events

        run(scenario())

    def test_what_waits_is_kept_until_it_is_read(self) -> None:
        async def scenario() -> None:
            bus = self.make()
            subscription = bus.subscribe("s")
            events: list[SessionEvent] = [
                SpeechStarted("s", 0, 1),
                SegmentFailed("s", 0, "engine_failed", "broken"),
                final(0, 1),
                DONE,
            ]
            await publish(bus, events)
            assert subscription.backlog == 4
            assert await read(subscription) == events
            assert subscription.backlog == 0

        run(scenario())

    def test_a_partial_not_read_in_time_makes_place_for_the_next_revision(self) -> None:
        async def scenario() -> None:
            bus = self.make()
            subscription = bus.subscribe("s")
            await publish(bus, [transcript(0, 1), SpeechEnded("s", 0, 1, 2), transcript(0, 2), transcript(0, 3)])
            assert subscription.backlog == 2
            await publish(bus, [final(0, 4), transcript(1, 1), DONE])
            assert await read(subscription) == [SpeechEnded("s", 0, 1, 2), final(0, 4), transcript(1, 1), DONE]

        run(scenario())

    @given(st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=12), PAUSES, PAUSES)
    def test_nothing_but_stale_partials_is_lost(
        self, segments: list[tuple[int, bool]], reader: list[int], writer: list[int]
    ) -> None:
        async def scenario() -> None:
            bus = self.make()
            subscription = bus.subscribe("s")
            published: list[SessionEvent] = []
            for segment, (revisions, speaks) in enumerate(segments):
                if speaks:
                    published.append(SpeechStarted("s", segment, 0))
                published += [
                    transcript(segment, revision, is_final=revision == revisions) for revision in range(1, revisions + 1)
                ]
            heard: list[SessionEvent] = []

            async def listen() -> None:
                pauses = cycle(reader)
                async for event in subscription:
                    heard.append(event)
                    if pause := next(pauses):
                        await asyncio.sleep(pause)

            listening = asyncio.create_task(listen())
            for event, pause in zip([*published, DONE], cycle(writer), strict=False):
                await bus.publish(event)
                if pause:
                    await asyncio.sleep(pause)
            await listening
            places = [published.index(event) for event in heard[:-1]]
            assert places == sorted(set(places))
            lost = [event for event in published if event not in heard]
            assert all(isinstance(event, Transcript) and not event.is_final for event in lost)
            assert heard[-1] == DONE

        run(scenario())

    def test_each_session_is_heard_by_its_own_subscriber(self) -> None:
        async def scenario() -> None:
            bus = self.make()
            mine, other = bus.subscribe("s"), bus.subscribe("other")
            events: list[SessionEvent] = [transcript(0, 1, session_id="other"), DONE, SessionDone("other", 1, 1)]
            await publish(bus, events)
            assert await read(mine) == [DONE]
            assert await read(other) == [events[0], events[2]]

        run(scenario())

    def test_without_a_subscriber_events_are_dropped(self) -> None:
        async def scenario() -> None:
            bus = self.make()
            await publish(bus, [transcript(0, 1)])
            subscription = bus.subscribe("s")
            await publish(bus, [DONE])
            assert await read(subscription) == [DONE]

        run(scenario())

    def test_closing_ends_whoever_reads_and_drops_what_waits(self) -> None:
        async def scenario() -> None:
            bus = self.make()
            idle, waiting = bus.subscribe("a"), bus.subscribe("s")
            listening = asyncio.create_task(read(idle))
            await settle()
            await publish(bus, [transcript(0, 1)])
            for subscription in (idle, waiting, waiting):
                subscription.close()
            assert await listening == []
            await publish(bus, [DONE])
            assert (waiting.backlog, await read(waiting)) == (0, [])

        run(scenario())

    def test_closing_from_within_the_loop_ends_it(self) -> None:
        async def scenario() -> None:
            bus = self.make()
            subscription = bus.subscribe("s")
            await publish(bus, [SpeechStarted("s", 0, 1), final(0, 1)])
            heard = []
            async for event in subscription:
                heard.append(event)
                subscription.close()
            assert heard == [SpeechStarted("s", 0, 1)]

        run(scenario())

    def test_a_second_subscriber_takes_over_and_the_first_one_ends(self) -> None:
        async def scenario() -> None:
            bus = self.make()
            first = bus.subscribe("s")
            listening = asyncio.create_task(read(first))
            await publish(bus, [SpeechStarted("s", 0, 1)])
            second = bus.subscribe("s")
            assert await listening == [SpeechStarted("s", 0, 1)]
            first.close()
            await publish(bus, [final(0, 1), DONE])
            assert await read(second) == [final(0, 1), DONE]

        run(scenario())
