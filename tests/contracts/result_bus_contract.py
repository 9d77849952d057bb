"""What every ResultBus promises. A test module inherits ResultBusContract and says how to make its bus."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from itertools import cycle
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from starling.bus.history import KEPT
from starling.core.errors import ResultsLost, SessionGone
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

SEVERAL_IMPLEMENTATIONS = settings(deadline=None, suppress_health_check=[HealthCheck.differing_executors])
"""One law, many classes that inherit it, some of which ask other processes."""

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
    def run(self, scenario: Coroutine[Any, Any, None]) -> None:
        """Run ``scenario`` where time costs nothing."""
        run(scenario)

    async def rest(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    def make(self, kept: int = KEPT) -> ResultBus:
        """A bus that keeps at least ``kept`` lasting events of a session, and less than four times as many."""
        raise NotImplementedError

    @pytest.mark.parametrize("last", [DONE, SessionFailed("s", "internal", "broken")])
    def test_events_come_in_order_until_the_session_is_over(self, last: SessionEvent) -> None:
        async def scenario() -> None:
            bus = self.make()
            listening = asyncio.create_task(read(await bus.subscribe("s")))
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

        self.run(scenario())

    def test_what_waits_is_kept_until_it_is_read(self) -> None:
        async def scenario() -> None:
            bus = self.make()
            subscription = await bus.subscribe("s")
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

        self.run(scenario())

    def test_a_partial_not_read_in_time_makes_place_for_the_next_revision(self) -> None:
        async def scenario() -> None:
            bus = self.make()
            subscription = await bus.subscribe("s")
            await publish(bus, [transcript(0, 1), SpeechEnded("s", 0, 1, 2), transcript(0, 2), transcript(0, 3)])
            assert subscription.backlog == 2
            await publish(bus, [final(0, 4), transcript(1, 1), DONE])
            assert await read(subscription) == [SpeechEnded("s", 0, 1, 2), final(0, 4), transcript(1, 1), DONE]

        self.run(scenario())

    @given(st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=12), PAUSES, PAUSES)
    @SEVERAL_IMPLEMENTATIONS
    def test_nothing_but_stale_partials_is_lost(
        self, segments: list[tuple[int, bool]], reader: list[int], writer: list[int]
    ) -> None:
        async def scenario() -> None:
            bus = self.make()
            subscription = await bus.subscribe("s")
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
                        await self.rest(pause)

            listening = asyncio.create_task(listen())
            for event, pause in zip([*published, DONE], cycle(writer), strict=False):
                await bus.publish(event)
                if pause:
                    await self.rest(pause)
            await listening
            places = [published.index(event) for event in heard[:-1]]
            assert places == sorted(set(places))
            lost = [event for event in published if event not in heard]
            assert all(isinstance(event, Transcript) and not event.is_final for event in lost)
            assert heard[-1] == DONE

        self.run(scenario())

    def test_each_session_is_heard_by_its_own_subscriber(self) -> None:
        async def scenario() -> None:
            bus = self.make()
            mine, other = await bus.subscribe("s"), await bus.subscribe("other")
            events: list[SessionEvent] = [transcript(0, 1, session_id="other"), DONE, SessionDone("other", 1, 1)]
            await publish(bus, events)
            assert await read(mine) == [DONE]
            assert await read(other) == [events[0], events[2]]

        self.run(scenario())

    def test_without_a_first_subscriber_events_are_dropped(self) -> None:
        async def scenario() -> None:
            bus = self.make()
            await publish(bus, [transcript(0, 1)])
            subscription = await bus.subscribe("s")
            await publish(bus, [DONE])
            assert await read(subscription) == [DONE]

        self.run(scenario())

    def test_closing_ends_whoever_reads_and_drops_what_waits(self) -> None:
        async def scenario() -> None:
            bus = self.make()
            idle, waiting = await bus.subscribe("a"), await bus.subscribe("s")
            listening = asyncio.create_task(read(idle))
            await settle()
            await publish(bus, [transcript(0, 1)])
            for subscription in (idle, waiting, waiting):
                subscription.close()
            assert await listening == []
            await publish(bus, [DONE])
            assert (waiting.backlog, await read(waiting)) == (0, [])

        self.run(scenario())

    def test_closing_from_within_the_loop_ends_it(self) -> None:
        async def scenario() -> None:
            bus = self.make()
            subscription = await bus.subscribe("s")
            await publish(bus, [SpeechStarted("s", 0, 1), final(0, 1)])
            heard = []
            async for event in subscription:
                heard.append(event)
                subscription.close()
            assert heard == [SpeechStarted("s", 0, 1)]

        self.run(scenario())

    def test_a_second_subscriber_takes_over_and_the_first_one_ends(self) -> None:
        async def scenario() -> None:
            bus = self.make()
            first = await bus.subscribe("s")
            listening = asyncio.create_task(read(first))
            await publish(bus, [SpeechStarted("s", 0, 1)])
            second = await bus.subscribe("s")
            assert await listening == [SpeechStarted("s", 0, 1)]
            first.close()
            await publish(bus, [final(0, 1), DONE])
            assert await read(second) == [final(0, 1), DONE]

        self.run(scenario())

    # --- a client that was away ---

    def test_who_comes_back_gets_the_later_segments_then_the_newest_partial_then_what_comes(self) -> None:
        async def scenario() -> None:
            bus = self.make()
            (await bus.subscribe("s")).close()
            second: list[SessionEvent] = [SpeechStarted("s", 1, 20), SpeechEnded("s", 1, 29, 32), final(1, 4)]
            third: list[SessionEvent] = [SpeechStarted("s", 2, 40), transcript(2, 1), transcript(2, 2)]
            await publish(bus, [SpeechStarted("s", 0, 1), transcript(0, 1), final(0, 2), transcript(1, 1), *second, *third])
            subscription = await bus.subscribe("s", after=0)
            assert subscription.backlog == 5
            await publish(bus, [SegmentFailed("s", 2, "engine_failed", "broken"), final(2, 3), DONE])
            heard = await read(subscription)
            assert heard == [*second, third[0], SegmentFailed("s", 2, "engine_failed", "broken"), final(2, 3), DONE]

        self.run(scenario())

    def test_a_partial_that_waits_comes_last_and_gives_way_to_its_final(self) -> None:
        async def scenario() -> None:
            bus = self.make()
            await bus.subscribe("s")
            await publish(bus, [SpeechStarted("s", 0, 1), transcript(0, 1)])
            listening = asyncio.create_task(read(await bus.subscribe("s", after=-1)))
            await settle()
            await publish(bus, [final(0, 2)])
            subscription = await bus.subscribe("s", after=-1)
            await publish(bus, [DONE])
            assert await read(subscription) == [SpeechStarted("s", 0, 1), final(0, 2), DONE]
            assert await listening == [SpeechStarted("s", 0, 1), transcript(0, 1), final(0, 2)]

        self.run(scenario())

    @pytest.mark.parametrize("last", [DONE, SessionFailed("s", "internal", "broken")])
    def test_the_last_word_waits_for_whoever_comes_back(self, last: SessionEvent) -> None:
        async def scenario() -> None:
            bus = self.make()
            (await bus.subscribe("s")).close()
            await publish(bus, [final(0, 1), last])
            for _ in range(2):
                assert await read(await bus.subscribe("s", after=0)) == [last]
            assert await read(await bus.subscribe("s", after=-1)) == [final(0, 1), last]

        self.run(scenario())

    def test_who_comes_back_takes_over(self) -> None:
        async def scenario() -> None:
            bus = self.make()
            listening = asyncio.create_task(read(await bus.subscribe("s")))
            await settle()
            subscription = await bus.subscribe("s", after=-1)
            assert await listening == []
            await publish(bus, [DONE])
            assert await read(subscription) == [DONE]

        self.run(scenario())

    def test_nobody_comes_back_to_a_session_that_is_not_known(self) -> None:
        async def scenario() -> None:
            bus = self.make()
            with pytest.raises(SessionGone):
                await bus.subscribe("s", after=-1)
            listening = asyncio.create_task(read(await bus.subscribe("s")))
            await settle()
            await bus.forget("s")
            await bus.forget("s")
            assert await listening == []
            await publish(bus, [DONE])
            with pytest.raises(SessionGone):
                await bus.subscribe("s", after=-1)

        self.run(scenario())

    def test_a_session_that_begins_again_knows_nothing(self) -> None:
        async def scenario() -> None:
            bus = self.make()
            await bus.subscribe("s")
            await publish(bus, [final(3, 1), DONE])
            subscription = await bus.subscribe("s")
            await publish(bus, [final(0, 1), DONE])
            assert await read(subscription) == [final(0, 1), DONE]

        self.run(scenario())

    def test_what_is_not_kept_any_more_is_not_passed_over(self) -> None:
        async def scenario() -> None:
            bus = self.make(kept=8)
            live = await bus.subscribe("s")
            segments = 40
            for number in range(segments):
                await publish(bus, [SpeechStarted("s", number, number), final(number, 1)])
            with pytest.raises(ResultsLost):
                await bus.subscribe("s", after=-1)
            assert live.backlog == 2 * segments, "a refused subscription changes nothing, and what is unread stays"
            subscription = await bus.subscribe("s", after=segments - 4)
            await publish(bus, [DONE])
            newest: list[SessionEvent] = []
            for number in range(segments - 3, segments):
                newest += [SpeechStarted("s", number, number), final(number, 1)]
            assert await read(subscription) == [*newest, DONE]

        self.run(scenario())

    # --- a recognizer that took over ---

    def test_what_was_said_is_not_said_again(self) -> None:
        async def scenario() -> None:
            bus = self.make()
            subscription = await bus.subscribe("s")
            first: list[SessionEvent] = [
                SpeechStarted("s", 0, 1),
                SpeechEnded("s", 0, 9, 12),
                SegmentFailed("s", 0, "engine_failed", "broken"),
                final(0, 3),
                SpeechStarted("s", 1, 14),
            ]
            rest: list[SessionEvent] = [SpeechEnded("s", 1, 19, 22), final(1, 1), DONE]
            await publish(bus, [*first, *first, transcript(0, 9), *rest, *rest, SessionFailed("s", "internal", "broken")])
            assert await read(subscription) == [*first, *rest]

        self.run(scenario())

    def test_revisions_grow_whoever_makes_them(self) -> None:
        async def scenario() -> None:
            bus = self.make()
            listening = asyncio.create_task(read(await bus.subscribe("s")))
            for event in (transcript(0, 5), transcript(0, 1), replace(transcript(0, 2), end=20), final(0, 3), DONE):
                await publish(bus, [event])
            assert await listening == [transcript(0, 5), replace(transcript(0, 6), end=20), final(0, 7), DONE]

        self.run(scenario())

    @given(st.lists(st.integers(1, 4), max_size=6), st.data())
    @SEVERAL_IMPLEMENTATIONS
    def test_wherever_a_recognizer_begins_again_each_stage_is_told_once(self, segments: list[int], data: st.DataObject) -> None:
        said: list[SessionEvent] = []
        for number, partials in enumerate(segments):
            said.append(SpeechStarted("s", number, number))
            said += [replace(transcript(number, revision), end=revision) for revision in range(1, partials + 1)]
            said += [SpeechEnded("s", number, number, number), final(number, partials + 1)]
        said.append(DONE)
        upto = data.draw(st.integers(0, len(said)))
        again = data.draw(st.integers(0, upto))

        async def scenario() -> None:
            bus = self.make()
            subscription = await bus.subscribe("s")
            await publish(bus, [*said[:upto], *said[again:]])
            heard = await read(subscription)
            lasting = [event for event in said if not isinstance(event, Transcript) or event.is_final]
            assert [event for event in heard if not isinstance(event, Transcript) or event.is_final] == lasting

        self.run(scenario())
