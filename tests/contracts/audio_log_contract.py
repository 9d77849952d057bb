"""What every AudioLog promises. A test module inherits AudioLogContract and says how to make its log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from starling.core.config import SessionConfig
from starling.core.errors import IllegalTransition, SessionGone, ShuttingDown
from starling.core.hotwords import MAX_BYTES, MAX_HOTWORDS, hot_words
from starling.core.load import Priority
from starling.core.ports import AudioLog
from starling.core.records import Audio, Checkpoint, Configure, Ended, Finalize, Followed, Gap, Opened, Record, Tail
from starling.core.tracing import SpanContext
from virtual_time import run, settle

SEVERAL_IMPLEMENTATIONS = settings(deadline=None, suppress_health_check=[HealthCheck.differing_executors])
"""One law, many classes that inherit it, some of which ask other processes."""

CONFIG = SessionConfig()
LEAD = 1000


def opened(session_id: str = "s", position: int = 0, next_segment: int = 0) -> Opened:
    checkpoint = Checkpoint(config=CONFIG, position=position, next_segment=next_segment)
    return Opened(session_id, f"trace of {session_id}", checkpoint)


def audio(start: int, end: int, sequence: int = 0, session_id: str = "s") -> Audio:
    return Audio(session_id, sequence, start, np.arange(start, end, dtype=np.int16), arrived=start / 16_000)


def gap(start: int, end: int, sequence: int = 0, session_id: str = "s") -> Gap:
    return Gap(session_id, sequence, start, end - start)


def checkpoint(position: int, next_segment: int = 0) -> Checkpoint:
    return Checkpoint(config=CONFIG.updated(words=True), position=position, next_segment=next_segment)


def plain(record: Followed) -> tuple[object, ...]:
    """``record`` as something that can be compared."""
    if isinstance(record, Audio):
        return (Audio, record.session_id, record.sequence, record.start, record.samples.tolist(), record.arrived)
    return (type(record), record)


class Follower:
    """Reads a log and keeps what it gets."""

    def __init__(self, log: AudioLog) -> None:
        self.records: list[Followed] = []
        self.ended = False
        self.task = asyncio.create_task(self._follow(log), name="follower")

    async def _follow(self, log: AudioLog) -> None:
        async for batch in log.follow():
            assert batch, "a batch has records"
            self.records += batch
        self.ended = True

    def of(self, session_id: str) -> list[tuple[object, ...]]:
        return [plain(record) for record in self.records if record.session_id == session_id]


@asynccontextmanager
async def following(log: AudioLog) -> AsyncIterator[Follower]:
    follower = Follower(log)
    await settle()
    try:
        yield follower
    finally:
        await settle()
        follower.task.cancel()
        await asyncio.wait([follower.task])
        await settle()


async def replayed(log: AudioLog) -> list[Followed]:
    """What a new follower gets."""
    async with following(log) as follower:
        pass
    return follower.records


async def fill(log: AudioLog, records: Sequence[Record]) -> None:
    for record in records:
        await log.append(record)


async def waits(append: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """The task of an append that does not get through by itself."""
    task = asyncio.create_task(append)
    await settle()
    assert not task.done(), "expected the append to wait"
    return task


SPAN = SpanContext(trace_id="ab" * 16, span_id="cd" * 8, parent_id="ef" * 8, state="vendor=a")


class AudioLogContract:
    reads_meanwhile = False
    """Whether a follower reads while appends are under way."""
    controls = 1000
    """Of each kind in a flood."""

    def run(self, scenario: Coroutine[Any, Any, None]) -> None:
        """Run ``scenario`` where time costs nothing."""
        run(scenario)

    def make(self, max_lead: int = LEAD) -> AudioLog:
        """A log whose sessions may be ``max_lead`` samples ahead of their checkpoints."""
        raise NotImplementedError

    # --- order and replay ---

    def test_a_follower_gets_each_session_in_order(self) -> None:
        async def scenario() -> None:
            log = self.make()
            a: list[Record] = [
                opened("a"),
                audio(0, 10, 0, "a"),
                Finalize("a", 1),
                gap(10, 90, 2, "a"),
                audio(90, 95, 3, "a"),
                Ended("a", 4),
            ]
            b: list[Record] = [
                opened("b"),
                Configure("b", 0, CONFIG),
                audio(0, 7, 1, "b"),
                audio(7, 9, 2, "b"),
                Finalize("b", 3),
                Ended("b", 4),
            ]
            mixed: list[Record] = [*chain.from_iterable(zip(a, b, strict=True))]
            await fill(log, mixed[:6])
            async with following(log) as follower:
                await fill(log, mixed[6:])
            assert follower.of("a") == [plain(record) for record in a]
            assert follower.of("b") == [plain(record) for record in b]

        self.run(scenario())

    def test_a_new_follower_gets_a_session_from_its_last_checkpoint(self) -> None:
        async def scenario() -> None:
            log = self.make()
            await fill(log, [opened(), audio(0, 100, 0), Finalize("s", 1), audio(100, 200, 2), audio(200, 300, 3)])
            await replayed(log)
            await log.commit("s", checkpoint(150, 3))
            first, *rest = await replayed(log)
            assert first == Opened("s", "trace of s", checkpoint(150, 3))
            assert [plain(record) for record in rest] == [plain(audio(100, 200, 2)), plain(audio(200, 300, 3))]

        self.run(scenario())

    def test_a_session_keeps_its_priority_from_follower_to_follower(self) -> None:
        async def scenario() -> None:
            log = self.make()
            await fill(log, [replace(opened(), priority=Priority.LOW), audio(0, 100, 0)])
            assert (await replayed(log))[0] == replace(opened(), priority=Priority.LOW)
            await log.commit("s", checkpoint(50, 3))
            first = (await replayed(log))[0]
            assert isinstance(first, Opened)
            assert first.priority is Priority.LOW

        self.run(scenario())

    def test_controls_at_the_checkpoint_survive_and_audio_up_to_it_does_not(self) -> None:
        async def scenario() -> None:
            log = self.make()
            await fill(log, [opened(), Finalize("s", 0), audio(0, 100, 1), Finalize("s", 2), Ended("s", 3)])
            await log.commit("s", checkpoint(100))
            assert (await replayed(log))[1:] == [Finalize("s", 2), Ended("s", 3)]

        self.run(scenario())

    def test_a_follower_that_stops_in_mid_batch_costs_nothing(self) -> None:
        async def scenario() -> None:
            log = self.make()
            await fill(log, [opened(), audio(0, 100, 0), audio(100, 200, 1)])

            async def stop_at_once() -> None:
                async for _ in log.follow():
                    await asyncio.Event().wait()

            task = asyncio.create_task(stop_at_once())
            await settle()
            task.cancel()
            await asyncio.wait([task])
            assert len(await replayed(log)) == 3

        self.run(scenario())

    def test_a_second_follower_takes_over_and_the_first_one_ends(self) -> None:
        async def scenario() -> None:
            log = self.make()
            await fill(log, [opened(), audio(0, 100, 0)])
            async with following(log) as first, following(log) as second:
                assert first.ended
                await log.append(audio(100, 200, 1))
            assert (len(first.records), len(second.records)) == (2, 3)

        self.run(scenario())

    def test_audio_that_is_known_already_is_dropped(self) -> None:
        async def scenario() -> None:
            log = self.make()
            known: list[Record] = [audio(0, 100, 1), audio(50, 100, 2), audio(100, 100, 3), gap(0, 80, 4)]
            await fill(log, [opened(), audio(0, 100, 0), *known, audio(50, 150, 5)])
            assert [record.sequence for record in (await replayed(log))[1:] if isinstance(record, Audio)] == [0, 5]

        self.run(scenario())

    @given(st.data())
    @SEVERAL_IMPLEMENTATIONS
    def test_a_new_follower_gets_exactly_what_is_staged(self, data: st.DataObject) -> None:
        async def scenario() -> None:
            log = self.make(max_lead=10**6)
            await log.append(opened())
            committed, end = 0, 0
            staged: list[tuple[int, Record]] = []
            for sequence in range(data.draw(st.integers(0, 30))):
                match data.draw(st.sampled_from(["audio", "audio", "gap", "finalize", "commit", "follow"])):
                    case "audio" | "gap" as kind:
                        start, end = end, end + data.draw(st.integers(1, 50))
                        staged.append((end, (audio if kind == "audio" else gap)(start, end, sequence)))
                        await log.append(staged[-1][1])
                    case "finalize":
                        if staged and isinstance(staged[-1][1], Finalize):
                            del staged[-1]
                        staged.append((end, Finalize("s", sequence)))
                        await log.append(staged[-1][1])
                    case "commit":
                        committed = data.draw(st.integers(committed, end))
                        await log.commit("s", checkpoint(committed))
                        staged = [(p, r) for p, r in staged if p > committed or (p == committed and isinstance(r, Finalize))]
                    case "follow":
                        await replayed(log)
                await settle()
                assert log.lag() == end - committed
            assert [plain(record) for record in (await replayed(log))[1:]] == [plain(record) for _, record in staged]

        self.run(scenario())

    # --- bounds ---

    @pytest.mark.parametrize("more", [audio(LEAD, LEAD + 10), gap(LEAD, LEAD + 10)], ids=["audio", "gap"])
    def test_past_the_lead_an_append_waits_until_a_commit_makes_room(self, more: Record) -> None:
        async def scenario() -> None:
            log = self.make(LEAD)
            await fill(log, [opened(), audio(0, LEAD - 1), audio(LEAD - 1, LEAD)])
            task = await waits(log.append(more))
            await log.commit("s", checkpoint(0))
            await settle()
            assert not task.done()
            await log.commit("s", checkpoint(LEAD // 2))
            await task
            await settle()
            assert log.lag() == LEAD // 2 + 10

        self.run(scenario())

    def test_one_session_that_waits_does_not_hold_up_another(self) -> None:
        async def scenario() -> None:
            log = self.make(LEAD)
            await fill(log, [opened("a"), opened("b"), audio(0, LEAD, 0, "a")])
            task = await waits(log.append(audio(LEAD, LEAD + 1, 1, "a")))
            await log.append(audio(0, 10, 0, "b"))
            await log.forget("a")
            with pytest.raises(SessionGone):
                await task

        self.run(scenario())

    def test_a_session_may_have_all_the_hot_words_that_are_allowed(self) -> None:
        async def scenario() -> None:
            log = self.make()
            length = MAX_BYTES // MAX_HOTWORDS
            words = hot_words(f"{number:0{length}}" for number in range(MAX_HOTWORDS))
            config = CONFIG.updated(hotwords=words)
            changed = CONFIG.updated(hotwords=words[::-1])
            await fill(log, [Opened("s", "trace", Checkpoint(config=config)), Finalize("s", 0), Configure("s", 1, changed)])
            await log.append(Ended("s", 2))
            first, _, configured, _ = await replayed(log)
            assert isinstance(first, Opened)
            assert isinstance(configured, Configure)
            assert (first.checkpoint.config, configured.config) == (config, changed)
            await log.commit("s", Checkpoint(config=changed))

        self.run(scenario())

    def test_controls_never_wait(self) -> None:
        async def scenario() -> None:
            log = self.make(LEAD)
            await fill(log, [opened(), audio(0, LEAD), Finalize("s", 1), Configure("s", 2, CONFIG), Ended("s", 3)])

        self.run(scenario())

    @pytest.mark.parametrize(
        ("end", "error"),
        [(lambda log: log.forget("s"), SessionGone), (lambda log: log.close(), ShuttingDown)],
        ids=["forget", "close"],
    )
    def test_whoever_waits_is_woken(self, end: Callable[[AudioLog], Coroutine[Any, Any, None]], error: type[Exception]) -> None:
        async def scenario() -> None:
            log = self.make(LEAD)
            await fill(log, [opened(), audio(0, LEAD)])
            task = await waits(log.append(audio(LEAD, LEAD + 1)))
            await end(log)
            with pytest.raises(error):
                await task

        self.run(scenario())

    @pytest.mark.parametrize("read", [False, True], ids=["unread", "read"])
    def test_a_flood_of_controls_takes_no_memory_and_the_last_of_each_kind_counts(self, *, read: bool) -> None:
        async def scenario() -> None:
            log = self.make()
            last = Configure("s", 2 * self.controls, CONFIG.updated(words=True))
            await fill(log, [opened(), audio(0, 10)])
            async with following(log) as follower:
                for sequence in range(self.controls):
                    await fill(log, [Finalize("s", 2 * sequence), Configure("s", 2 * sequence + 1, CONFIG)])
                    if read:
                        await settle()
                await log.append(last)
            assert follower.records[-1] == last
            if not read and not self.reads_meanwhile:
                assert len(follower.records) <= 4
            assert (await replayed(log))[2:] == [Finalize("s", 2 * self.controls - 2), last]

        self.run(scenario())

    def test_lag_is_what_is_staged_over_all_sessions(self) -> None:
        async def scenario() -> None:
            log = self.make()
            await settle()
            assert log.lag() == 0
            await fill(
                log, [opened("a"), opened("b", 500), audio(0, 100, 0, "a"), gap(100, 300, 1, "a"), audio(500, 540, 0, "b")]
            )
            await settle()
            assert log.lag() == 340
            await log.commit("a", checkpoint(250))
            await settle()
            assert log.lag() == 90
            await log.commit("a", checkpoint(400))  # a gap's end may lie behind what was appended
            await settle()
            assert log.lag() == 40
            await log.append(audio(300, 420, 2, "a"))
            await settle()
            assert log.lag() == 60
            await log.forget("b")
            await settle()
            assert log.lag() == 20
            await log.forget("a")
            await settle()
            assert log.lag() == 0

        self.run(scenario())

    def test_a_session_keeps_its_place_in_its_trace(self) -> None:
        async def scenario() -> None:
            log = self.make()
            await fill(log, [replace(opened(), span=SPAN), audio(0, 100)])
            for position in (0, 50):
                if position:
                    await log.commit("s", checkpoint(position, 1))
                found = (await replayed(log))[0]
                assert isinstance(found, Opened)
                assert found.span == SPAN

        self.run(scenario())

    # --- commits and ends ---

    def test_an_older_checkpoint_is_ignored(self) -> None:
        async def scenario() -> None:
            log = self.make()
            await fill(log, [opened(), audio(0, 100)])
            await log.commit("s", checkpoint(50, 2))
            await log.commit("s", checkpoint(40, 3))
            await log.commit("s", checkpoint(50, 1))
            assert (await replayed(log))[0] == Opened("s", "trace of s", checkpoint(50, 2))
            await log.commit("s", checkpoint(50, 3))
            assert (await replayed(log))[0] == Opened("s", "trace of s", checkpoint(50, 3))

        self.run(scenario())

    def test_a_session_nobody_knows_is_ignored_by_commit_and_forget(self) -> None:
        async def scenario() -> None:
            log = self.make()
            await log.commit("nobody", checkpoint(10))
            await log.forget("nobody")
            assert await replayed(log) == []

        self.run(scenario())

    def test_only_an_open_session_takes_records_and_it_opens_once(self) -> None:
        async def scenario() -> None:
            log = self.make()
            with pytest.raises(SessionGone, match="not open"):
                await log.append(audio(0, 10))
            await log.append(opened())
            with pytest.raises(IllegalTransition, match="already"):
                await log.append(opened())
            await log.forget("s")
            with pytest.raises(SessionGone, match="not open"):
                await log.append(Ended("s", 1))
            assert await replayed(log) == []
            await log.append(opened())

        self.run(scenario())

    def test_once_closed_it_refuses_and_its_follower_ends_when_it_has_read_everything(self) -> None:
        async def scenario() -> None:
            log = self.make()
            await fill(log, [opened(), audio(0, 10), Ended("s", 1)])
            await log.close()
            await log.close()
            for record in (opened("late"), audio(10, 20, 2), Finalize("s", 3)):
                with pytest.raises(ShuttingDown, match="closed"):
                    await log.append(record)
            async with following(log) as follower:
                assert follower.ended
            assert len(follower.records) == 3
            await log.commit("s", checkpoint(10))
            await log.forget("s")

        self.run(scenario())

    def test_a_follower_that_waits_is_ended_by_close(self) -> None:
        async def scenario() -> None:
            log = self.make()
            async with following(log) as follower:
                assert not follower.ended
                await log.close()
                await settle()
                assert follower.ended

        self.run(scenario())

    # --- a gateway that goes on for another one ---

    def test_the_tail_says_how_far_the_records_go(self) -> None:
        async def scenario() -> None:
            log = self.make()
            with pytest.raises(SessionGone, match="not open"):
                await log.tail("s")
            await log.append(opened())
            assert await log.tail("s") == Tail(position=0, sequence=-1, received=0)
            await log.append(replace(audio(0, 100, 0), received=200))
            await log.append(replace(gap(100, 700, 1), received=1400))
            assert await log.tail("s") == Tail(position=700, sequence=1, received=1400)
            await log.append(replace(audio(0, 100, 2), received=200))
            assert await log.tail("s") == Tail(position=700, sequence=1, received=1400), "what is known already changes nothing"
            await log.append(Finalize("s", 2, received=1401))
            assert await log.tail("s") == Tail(position=700, sequence=2, received=1401)
            await log.commit("s", checkpoint(700))
            await log.append(Configure("s", 3, CONFIG, received=1402))
            assert await log.tail("s") == Tail(position=700, sequence=3, received=1402)
            await log.append(Ended("s", 4, received=1403))
            assert await log.tail("s") == Tail(position=700, sequence=4, received=1403, ended=True)
            await log.forget("s")
            with pytest.raises(SessionGone, match="not open"):
                await log.tail("s")

        self.run(scenario())

    def test_a_session_that_opens_at_a_checkpoint_has_its_tail_there(self) -> None:
        async def scenario() -> None:
            log = self.make()
            at = Checkpoint(config=CONFIG, position=512, next_segment=2, sequence=7)
            await log.append(Opened("s", "trace", at))
            assert await log.tail("s") == Tail(position=512, sequence=7, received=0)

        self.run(scenario())
