from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from scripted_session import speech
from starling.bus.memory import MemoryWitness
from starling.core.errors import EngineFailed
from starling.core.hotwords import hot_words
from starling.core.ports import DecodeOutcome, EngineStream, StreamOptions, Work
from starling.core.transcript import Hypothesis
from starling.engine.scripted import ScriptedEngine, scripted_text
from starling.scheduler.batcher import BatchOptions
from starling.scheduler.competition import RunQueue, Turns
from starling.scheduler.job import Job, Kind
from starling.scheduler.loop import Answer, DecodeLoop
from starling.telemetry.metrics import Metrics
from virtual_time import CostedOffload, VirtualClock, run, settle, stopped


class Rig:
    """A decode loop on virtual time, whose engine takes ``cost()`` seconds for a batch."""

    def __init__(
        self,
        *,
        options: BatchOptions | None = None,
        engine: ScriptedEngine | None = None,
        cost: Callable[[], float] = lambda: 1.0,
        witness: MemoryWitness | None = None,
        run_queue: RunQueue | None = None,
    ) -> None:
        self.engine = engine or ScriptedEngine()
        self.answers: list[tuple[float, Answer]] = []
        self.clock = VirtualClock()
        self.metrics = Metrics()
        self.witness = witness or MemoryWitness()
        self.offload = CostedOffload(cost)
        self.loop = DecodeLoop(
            self.engine,
            options=options or BatchOptions(),
            answer=self._answer,
            offload=self.offload,
            clock=self.clock,
            metrics=self.metrics,
            witness=self.witness,
            run_queue=run_queue,
        )

    def submit(self, session_id: str, segment_id: int = 0, kind: Kind = Kind.PARTIAL) -> None:
        stream = self.engine.create_stream(StreamOptions())
        stream.accept_waveform(speech(0.5, segment_id))
        self.loop.submit(Job(session_id, segment_id, kind, stream, self.clock.now()))

    @property
    def told(self) -> list[tuple[float, str, int]]:
        return [(at, answer.job.session_id, answer.job.segment_id) for at, answer in self.answers]

    def decodes(self, kind: Kind, outcome: str) -> float:
        value = self.metrics.registry.get_sample_value("starling_decodes_total", {"kind": kind, "outcome": outcome})
        assert value is not None
        return value

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.loop.run(), name="decode loop")
        await settle()
        try:
            yield
        finally:
            await stopped(task)

    def _answer(self, answer: Answer) -> None:
        self.answers.append((self.clock.now(), answer))


def test_hot_words_in_finals_are_counted() -> None:
    async def scenario() -> None:
        rig = Rig()
        said = scripted_text(speech(0.5, 0)).split()[0]
        async with rig.running():
            for place, phrases in enumerate([(), ("nothing",), (said, "nothing")]):
                stream = rig.engine.create_stream(StreamOptions(hotwords=hot_words(phrases)))
                stream.accept_waveform(speech(0.5, 0))
                stream.input_finished(8_000)
                rig.loop.submit(Job("a", place, Kind.FINAL, stream, rig.clock.now()))
            await asyncio.sleep(10)
        value = rig.metrics.registry.get_sample_value
        assert (value("starling_hotword_segments_total"), value("starling_hotword_hits_total")) == (2, 1)

    run(scenario())


def test_jobs_are_decoded_one_batch_after_the_other() -> None:
    async def scenario() -> None:
        rig = Rig()
        async with rig.running():
            rig.submit("a", kind=Kind.FINAL)
            rig.submit("b", kind=Kind.FINAL)
            await asyncio.sleep(10)
        assert rig.told == [(1.0, "a", 0), (2.0, "b", 0)]
        assert all(isinstance(answer.outcome, Hypothesis) and answer.cost == 1.0 for _, answer in rig.answers)

    run(scenario())


class Crowded:
    """A thread that waits three quarters of a second for its core in every decode of a second."""

    def __init__(self) -> None:
        self._asked = 0

    def threads(self) -> Turns:
        return {1: (0.25 * self._asked, 0.75 * self._asked)}

    def waited(self) -> float:
        self._asked += 1
        return 0.75 * (self._asked // 2)


def test_a_decode_costs_what_it_computes_and_not_what_others_do_meanwhile() -> None:
    async def cost(run_queue: RunQueue | None) -> tuple[float, float]:
        rig = Rig(run_queue=run_queue)
        async with rig.running():
            rig.loop.look(sessions=1)
            for segment in range(100):
                rig.submit("a", segment, kind=Kind.FINAL)
            await asyncio.sleep(101)
        rig.loop.look(sessions=1)
        value = rig.metrics.registry.get_sample_value
        learned, lost = value("starling_decode_cost_seconds", {"kind": "final", "audio": "1"}), value("starling_cores_lost_ratio")
        assert learned is not None
        assert lost is not None
        return learned, lost

    alone, crowded = run(cost(None)), run(cost(Crowded()))
    assert alone[0] == pytest.approx(1.0, rel=0.1)
    assert alone[1] == 0
    assert crowded[0] == pytest.approx(0.25, rel=0.1)
    assert crowded[1] == pytest.approx(0.5)


def test_what_comes_during_a_decode_goes_next_finals_first() -> None:
    async def scenario() -> None:
        rig = Rig()
        async with rig.running():
            rig.submit("a")
            await asyncio.sleep(0.5)
            rig.submit("b")
            rig.submit("c", kind=Kind.FINAL)
            await asyncio.sleep(10)
        assert [session for _, session, _ in rig.told] == ["a", "c", "b"]

    run(scenario())


def test_a_batch_is_as_large_as_allowed_and_shares_its_cost() -> None:
    async def scenario() -> None:
        rig = Rig(options=BatchOptions(max_batch=3))
        async with rig.running():
            for name in "abcde":
                rig.submit(name)
            await asyncio.sleep(10)
        assert rig.told == [(1.0, "a", 0), (1.0, "b", 0), (1.0, "c", 0), (2.0, "d", 0), (2.0, "e", 0)]
        assert [answer.cost for _, answer in rig.answers] == [pytest.approx(1 / 3)] * 3 + [0.5] * 2
        assert rig.engine.tally.largest_batch == 3

    run(scenario())


def test_a_partial_of_a_client_ahead_of_its_time_is_dropped() -> None:
    async def scenario() -> None:
        rig = Rig()
        async with rig.running():
            stream = rig.engine.create_stream(StreamOptions())
            rig.loop.submit(Job("a", 0, Kind.PARTIAL, stream, submitted=0.0, due=0.1))
            rig.loop.submit(Job("b", 0, Kind.FINAL, stream, submitted=0.0, due=0.1))
            await asyncio.sleep(10)
        assert [session for _, session, _ in rig.told] == ["b"]
        assert rig.decodes(Kind.PARTIAL, "early") == 1

    run(scenario())


def test_a_superseded_partial_gets_no_answer() -> None:
    async def scenario() -> None:
        rig = Rig()
        async with rig.running():
            for segment in range(5):
                rig.submit("a", segment)
            await asyncio.sleep(10)
        assert rig.told == [(1.0, "a", 4)]
        assert rig.decodes(Kind.PARTIAL, "superseded") == 4
        assert rig.decodes(Kind.PARTIAL, "ok") == 1

    run(scenario())


def test_partials_that_waited_too_long_are_dropped() -> None:
    async def scenario() -> None:
        rig = Rig(options=BatchOptions(max_batch=1, partial_lifetime=1.5))
        async with rig.running():
            for name in "abc":
                rig.submit(name)
            await asyncio.sleep(10)
        assert [session for _, session, _ in rig.told] == ["a", "b"]
        assert rig.decodes(Kind.PARTIAL, "expired") == 1

    run(scenario())


def test_the_queue_of_partials_is_bounded_and_that_of_finals_is_not() -> None:
    async def scenario() -> None:
        rig = Rig(options=BatchOptions(max_pending=2))
        async with rig.running():
            for name in "abcd":
                rig.submit(name)
            for name in "efgh":
                rig.submit(name, kind=Kind.FINAL)
            await asyncio.sleep(5.5)
        assert [session for _, session, _ in rig.told] == ["e", "f", "g", "h"]
        assert (rig.decodes(Kind.PARTIAL, "refused"), rig.decodes(Kind.PARTIAL, "expired")) == (2, 2)

    run(scenario())


def test_a_session_that_is_over_waits_for_nothing() -> None:
    async def scenario() -> None:
        rig = Rig()
        async with rig.running():
            for name in "aba":
                rig.submit(name, kind=Kind.FINAL)
            rig.loop.cancel("a")
            await asyncio.sleep(10)
        assert [session for _, session, _ in rig.told] == ["b"]

    run(scenario())


class Raising(ScriptedEngine):
    def decode_streams(self, streams: Sequence[EngineStream]) -> list[DecodeOutcome]:
        raise MemoryError("tensor of 1 GB")


class Forgetful(ScriptedEngine):
    def decode_streams(self, streams: Sequence[EngineStream]) -> list[DecodeOutcome]:
        return super().decode_streams(streams)[1:]


@pytest.mark.parametrize(("engine", "said"), [(Raising(), "MemoryError"), (Forgetful(), "expected 2 answers")])
def test_an_engine_that_breaks_its_promise_fails_its_batch_and_not_the_loop(engine: ScriptedEngine, said: str) -> None:
    async def scenario() -> None:
        rig = Rig(engine=engine, options=BatchOptions(max_batch=2))
        async with rig.running():
            for name in "abcd":
                rig.submit(name)
            await asyncio.sleep(10)
        assert [session for _, session, _ in rig.told] == ["a", "b", "c", "d"]
        for _, answer in rig.answers:
            assert isinstance(answer.outcome, EngineFailed)
            assert said in answer.outcome.message
            assert "1 GB" not in answer.outcome.message
        assert rig.decodes(Kind.PARTIAL, "failed") == 4

    run(scenario())


def test_an_idle_loop_does_nothing() -> None:
    async def scenario() -> None:
        rig = Rig(options=BatchOptions(max_batch=4))
        async with rig.running():
            await asyncio.sleep(3600)
        assert rig.offload.calls == 0

    run(scenario())


def test_cancelled_in_mid_decode_it_stops_and_tells_nothing_more() -> None:
    async def scenario() -> None:
        rig = Rig()
        async with rig.running():
            rig.submit("a", kind=Kind.FINAL)
            await asyncio.sleep(0.5)
        await asyncio.sleep(10)
        assert rig.told == []

    run(scenario())


def test_waiting_is_measured_from_submission_to_the_start_of_the_batch() -> None:
    async def scenario() -> None:
        rig = Rig()
        async with rig.running():
            rig.submit("a", kind=Kind.FINAL)
            rig.submit("b", kind=Kind.FINAL)
            await asyncio.sleep(0.5)
            assert rig.metrics.registry.get_sample_value("starling_engine_in_flight") == 1
            await asyncio.sleep(10)
        sample = rig.metrics.registry.get_sample_value
        assert sample("starling_queue_wait_seconds_sum", {"kind": "final"}) == 1.0
        assert sample("starling_decode_seconds_sum", {"kind": "final"}) == 2.0
        assert sample("starling_decode_batch_size_sum") == 2.0
        assert sample("starling_engine_in_flight") == 0

    run(scenario())


def test_the_witness_knows_whom_a_decode_is_for_and_a_suspect_shares_none() -> None:
    witness = MemoryWitness()
    seen: list[tuple[str, ...]] = []

    class Watched(ScriptedEngine):
        def decode_streams(self, streams: Sequence[EngineStream]) -> list[DecodeOutcome]:
            seen.append(witness.in_hand[Work.DECODE])
            return super().decode_streams(streams)

    async def scenario() -> None:
        rig = Rig(engine=Watched(), options=BatchOptions(max_batch=8), witness=witness)
        witness.suspected = {"b"}
        async with rig.running():
            for name in "abc":
                rig.submit(name)
            await asyncio.sleep(5)

    run(scenario())
    assert seen == [("a", "c"), ("b",)]
    assert witness.in_hand == {}
