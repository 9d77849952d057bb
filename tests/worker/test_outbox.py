from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripted_session import CONFIG, Part, written
from starling.bus.memory import MemoryResultBus
from starling.core.audio import samples
from starling.core.errors import IllegalTransition
from starling.core.records import Checkpoint, Opened, Record
from starling.core.transcript import SessionDone, SessionEvent, SessionFailed, SpeechStarted, Transcript
from starling.session.commands import Commit, Deliver, Finish
from starling.session.options import SegmentationOptions
from starling.worker.outbox import LIMIT, Outbox, Outgoing
from virtual_time import run
from worker.rig import Rig

SHORT = SegmentationOptions(max_segment=2.0, min_segment=1.0, idle_checkpoint=1.0)
TALK: list[Part] = [("speech", 1.5), ("silence", 0.5)] * 3


def chunked(script: Sequence[Part], session_id: str) -> list[Record]:
    return written(script, range(1600, samples(300.0), 1600), session_id)


def partial(segment_id: int, revision: int) -> Deliver:
    return Deliver(transcript(segment_id, revision, is_final=False))


def transcript(segment_id: int, revision: int, *, is_final: bool) -> Transcript:
    return Transcript(
        session_id="s", segment_id=segment_id, revision=revision, is_final=is_final, text="t", stable_text="", start=0, end=1
    )


def commit(position: int) -> Commit:
    return Commit(Checkpoint(config=CONFIG, position=position))


entries: st.SearchStrategy[list[Outgoing]] = st.lists(
    st.one_of(
        st.builds(partial, st.just(0), st.integers(0, 9)),
        st.builds(commit, st.integers(0, 99)),
        st.builds(lambda at: Deliver(SpeechStarted("s", at, at)), st.integers(0, 9)),
    ),
    max_size=30,
)


class Post:
    """Where an outbox delivers: takes ``delay`` seconds for each entry, and refuses those in ``refused``."""

    def __init__(self, delay: float = 0.0, refused: Sequence[Outgoing] = ()) -> None:
        self.sent: list[Outgoing] = []
        self.errors: list[Exception] = []
        self.moves: list[int] = []
        self._delay = delay
        self._refused = refused
        self._tasks: set[asyncio.Task[None]] = set()
        self.outbox = Outbox(
            self._send, spawn=self._spawn, moved=lambda: self.moves.append(len(self.outbox)), failed=self.errors.append
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, entry: Outgoing) -> None:
        await asyncio.sleep(self._delay)
        if entry in self._refused:
            raise ConnectionError("gone")
        self.sent.append(entry)


@given(entries, st.sampled_from([0.0, 0.3]), st.sampled_from([0.0, 0.1, 1.0]))
def test_everything_goes_out_in_order_but_for_what_is_stale(given: list[Outgoing], delay: float, pause: float) -> None:
    async def scenario() -> None:
        post = Post(delay)
        for entry in given:
            post.outbox.put(entry)
            await asyncio.sleep(pause)
        await asyncio.sleep(100)
        remaining = iter(given)
        assert all(entry in remaining for entry in post.sent), "an order that was not given"
        lasting = [entry for entry in given if isinstance(entry, Deliver) and isinstance(entry.event, SpeechStarted)]
        assert [entry for entry in post.sent if entry in lasting] == lasting
        for kind in (Commit, Deliver):
            last = next((entry for entry in reversed(given) if isinstance(entry, kind)), None)
            assert last is None or last in post.sent, "the newest of each kind is never stale"
        assert not post.outbox

    run(scenario())


def test_a_newer_partial_or_commit_takes_the_place_of_one_that_waits() -> None:
    async def scenario() -> None:
        post = Post(1.0)
        for entry in (partial(0, 1), partial(0, 2), commit(5), commit(7), partial(0, 3)):
            post.outbox.put(entry)
        await asyncio.sleep(10)
        assert post.sent == [commit(7), partial(0, 3)]

    run(scenario())


def test_it_says_when_it_is_full_and_when_there_is_room_again() -> None:
    async def scenario() -> None:
        post = Post(1.0)
        for index in range(LIMIT + 1):
            post.outbox.put(Deliver(SpeechStarted("s", index, index)))
        assert post.outbox.full
        await asyncio.sleep(1.5)
        assert post.moves == []
        await asyncio.sleep(LIMIT + 10)
        assert post.moves == [LIMIT - 1, 0]

    run(scenario())


def test_what_cannot_be_sent_drops_what_waits_behind_it() -> None:
    async def scenario() -> None:
        post = Post(1.0, refused=[commit(5)])
        post.outbox.put(commit(5))
        post.outbox.put(Deliver(SpeechStarted("s", 0, 0)))
        await asyncio.sleep(10)
        assert [type(error) for error in post.errors] == [ConnectionError]
        assert (post.sent, len(post.outbox)) == ([], 0)
        post.outbox.put(Finish())
        await asyncio.sleep(10)
        assert post.sent == [Finish()]

    run(scenario())


class MoodyBus(MemoryResultBus):
    """Does not take what session ``slow`` says until ``well``, and refuses all that session ``bad`` says after its first word."""

    def __init__(self) -> None:
        super().__init__()
        self.well = asyncio.Event()

    async def publish(self, event: SessionEvent) -> None:
        if event.session_id == "slow":
            await self.well.wait()
        if event.session_id == "bad" and not isinstance(event, SpeechStarted):
            raise ConnectionError("gone")
        await super().publish(event)


def test_one_session_that_cannot_be_told_its_results_holds_up_no_other() -> None:
    long_talk: list[Part] = [("speech", 1.5), ("silence", 0.5)] * 60

    async def scenario() -> None:
        bus = MoodyBus()
        rig = Rig(results=bus, decode=lambda: 0.05, listen=lambda: 0.005, segmentation=SHORT)
        async with rig.running() as worker:
            slow = asyncio.create_task(rig.client("slow", chunked(long_talk, "slow")))
            events = await rig.client("good", chunked(TALK, "good"))
            assert isinstance(events[-1], SessionDone)
            assert rig.clock.now() < 6.5
            await asyncio.sleep(180)
            [stuck] = worker._sessions.values()
            assert len(stuck._outbox) <= LIMIT + 4, "but for what it had begun when it was full"
            assert rig.log.lag() <= samples(61.0), "its client waits"
            bus.well.set()
            finals = [event for event in await slow if isinstance(event, Transcript) and event.is_final]
        assert len(finals) == 60

    run(scenario())


def test_a_session_whose_results_are_refused_is_forgotten() -> None:
    async def scenario() -> None:
        rig = Rig(results=MoodyBus(), segmentation=SHORT)
        async with rig.running() as worker:
            await rig.log.append(Opened("bad", "trace", Checkpoint(config=CONFIG)))
            with pytest.raises(IllegalTransition, match="not open"):  # noqa: PT012 - it is some record that finds out
                for record in chunked(TALK, "bad"):
                    await rig.log.append(record)
                    await asyncio.sleep(0.1)
            assert not worker._sessions
            events = await rig.client("good", chunked(TALK, "good"))
            assert not any(isinstance(event, SessionFailed) for event in events)

    run(scenario())
