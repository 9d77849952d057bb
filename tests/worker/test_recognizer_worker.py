from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripted_session import CONFIG, Driver, Part, written
from starling.core.audio import FRAME, SAMPLE_RATE, Frames, Samples, samples
from starling.core.config import SessionConfig, VadMode
from starling.core.errors import IllegalTransition, InvalidOption
from starling.core.ports import DecodeOutcome, EngineStream, Probabilities, StreamOptions, VadStream, Work
from starling.core.records import Audio, Checkpoint, Gap, Opened, Record
from starling.core.transcript import Hypothesis, SessionDone, SessionEvent, SessionFailed, SpeechEnded, SpeechStarted, Transcript
from starling.engine.scripted import ScriptedEngine, ScriptedStream
from starling.scheduler.batcher import BatchOptions
from starling.session.options import SegmentationOptions
from starling.vad.energy import EnergyStream, EnergyVad
from starling.worker.live import LiveSession
from virtual_time import run, settle, stopped
from worker.rig import RevokingLog, Rig

SHORT = SegmentationOptions(max_segment=2.0, min_segment=1.0, idle_checkpoint=1.0)
CHAT: list[Part] = [("silence", 0.5), ("speech", 1.0), ("silence", 0.5), ("mumble", 1.0), ("silence", 0.5), ("speech", 0.7)]

durations = st.floats(0.1, 2.0).map(lambda duration: round(duration, 3))
parts: st.SearchStrategy[Part] = st.one_of(
    st.tuples(st.sampled_from(["silence", "speech", "mumble", "gap"]), durations),
    st.just(("finalize", 0.0)),
    st.tuples(st.just("configure"), st.sampled_from([0.1, 0.6])),
)
scripts = st.lists(parts, min_size=1, max_size=6)


def chunked(script: Sequence[Part], session_id: str, chunk: int = 1600) -> list[Record]:
    return written(script, range(chunk, samples(60.0), chunk), session_id)


def alone(records: Iterable[Record], config: SessionConfig = CONFIG, options: SegmentationOptions = SHORT) -> list[SessionEvent]:
    """What a session says that has the machine for itself."""
    driver = Driver(checkpoint=Checkpoint(config=config), options=options)
    driver.play(records)
    return driver.events


def lasting(events: Iterable[SessionEvent]) -> list[SessionEvent]:
    """What does not depend on time: no partials, one segment after the other, and as if all sessions had one name."""
    kept = [
        replace(event, session_id="s", revision=0) if isinstance(event, Transcript) else replace(event, session_id="s")
        for event in events
        if not isinstance(event, Transcript) or event.is_final
    ]
    return sorted(kept, key=lambda event: getattr(event, "segment_id", len(kept)))


def assert_in_order(events: Sequence[SessionEvent]) -> None:
    """A segment starts, grows, ends, is final; the session's last event is its last."""
    told: dict[int, list[str]] = {}
    for event in events[:-1]:
        assert isinstance(event, SpeechStarted | SpeechEnded | Transcript)
        if isinstance(event, Transcript):
            told.setdefault(event.segment_id, []).append("final" if event.is_final else f"partial {event.revision:3}")
        else:
            told.setdefault(event.segment_id, []).append("ended" if isinstance(event, SpeechEnded) else "begun")
    for steps in told.values():
        begun, *partials, ended, final = steps
        assert (begun, ended, final) == ("begun", "ended", "final")
        assert partials == sorted(set(partials))
        assert all(step.startswith("partial") for step in partials)
    assert isinstance(events[-1], SessionDone)


async def together(clients: dict[str, Any]) -> dict[str, list[SessionEvent]]:
    async with asyncio.TaskGroup() as tasks:
        running = {session_id: tasks.create_task(client) for session_id, client in clients.items()}
    return {session_id: task.result() for session_id, task in running.items()}


# --- law 3: company does not matter ----------------------------------------------------------------------------------------


hops = st.sampled_from([0.0, 0.01, 0.2])


@given(st.lists(st.tuples(scripts, st.integers(300, 8000), st.booleans()), min_size=1, max_size=6), st.integers(1, 4), hops)
def test_sessions_say_together_what_they_say_alone(
    sessions: list[tuple[list[Part], int, bool]], max_batch: int, hop: float
) -> None:
    async def scenario() -> None:
        rig = Rig(
            decode=lambda: 0.05,
            listen=lambda: 0.01,
            segmentation=SHORT,
            batching=BatchOptions(max_batch=max_batch),
            hop=hop,
        )
        async with rig.running() as worker:
            heard = await together(
                {
                    str(i): rig.client(str(i), chunked(script, str(i), chunk), in_real_time=in_real_time)
                    for i, (script, chunk, in_real_time) in enumerate(sessions)
                }
            )
        for i, (script, _, _) in enumerate(sessions):
            assert lasting(heard[str(i)]) == lasting(alone(written(script)))
            assert_in_order(heard[str(i)])
        assert not worker._sessions
        assert rig.log.lag() == 0

    run(scenario())


@given(scripts, st.lists(st.floats(0.0, 2.0), max_size=6), st.sampled_from([0.0, 0.3]))
def test_a_session_that_is_taken_away_and_given_back_says_the_same(
    script: Sequence[Part], pauses: Sequence[float], hop: float
) -> None:
    async def scenario() -> None:
        log = RevokingLog(hop)
        rig = Rig(hop=hop, log=log, segmentation=SHORT, decode=lambda: 0.05)
        async with rig.running() as worker, asyncio.TaskGroup() as tasks:
            client = tasks.create_task(rig.client("s", chunked(script, "s")))
            for pause in pauses:
                await asyncio.sleep(pause)
                log.revoke("s")
        assert lasting(client.result()) == lasting(alone(written(script)))
        assert_in_order(client.result())
        assert not worker._sessions
        assert not rig.board.loads()

    run(scenario())


@pytest.mark.parametrize("pause", [0.0, 0.001, 0.02, 0.5])
def test_a_control_does_not_overtake_what_its_session_is_busy_with(pause: float) -> None:
    async def scenario() -> None:
        rig = Rig(hop=0.3)
        sound, finalize, ended = written([("speech", 3 * FRAME / SAMPLE_RATE), ("finalize", 0.0)])
        async with rig.running():
            results = await rig.results.subscribe("s")
            await rig.log.append(Opened("s", "trace", Checkpoint(config=CONFIG)))
            for record in (sound, finalize, ended):
                await rig.log.append(record)
                await asyncio.sleep(pause)
            events = [event async for event in results]
        assert_in_order(events)
        assert lasting(events) == lasting(alone([sound, finalize, ended]))

    run(scenario())


# --- trouble stays where it is ---------------------------------------------------------------------------------------------


class BrokenStream(ScriptedStream):
    def accept_waveform(self, samples: Samples) -> None:
        raise MemoryError


class MoodyEngine(ScriptedEngine):
    """Breaks on French."""

    def __init__(self) -> None:
        super().__init__(languages=("en", "fr"))

    def create_stream(self, options: StreamOptions) -> ScriptedStream:
        stream = super().create_stream(options)
        if stream.language == "fr":
            return BrokenStream(limit=10**6, ordinal=stream.ordinal, options=options, language="fr")
        return stream


class MoodyVad(EnergyVad):
    """Raises for whoever wants WebRTC, and leaves out a frame for whoever wants Silero."""

    def score(self, batch: Sequence[tuple[VadStream, Frames]]) -> list[Probabilities]:
        modes = [stream.mode for stream, _ in batch if isinstance(stream, EnergyStream)]
        if VadMode.WEBRTC in modes:
            raise FloatingPointError
        scores = super().score(batch)
        return [heard[1:] if mode is VadMode.SILERO else heard for heard, mode in zip(scores, modes, strict=True)]


def holed(records: list[Record]) -> list[Record]:
    return [record for record in records if not (isinstance(record, Audio) and 16_000 <= record.start < 20_000)]


@pytest.mark.parametrize(
    ("config", "edit", "code"),
    [
        pytest.param(CONFIG.updated(language="fr"), list, "internal", id="a stream that raises"),
        pytest.param(CONFIG.updated(language="tlh"), list, "invalid_option", id="a language nobody speaks"),
        pytest.param(CONFIG.updated(vad=VadMode.WEBRTC), list, "internal", id="a detector that raises"),
        pytest.param(CONFIG.updated(vad=VadMode.SILERO), list, "internal", id="a detector that leaves frames out"),
        pytest.param(CONFIG, holed, "internal", id="a hole in the audio"),
    ],
)
def test_a_session_that_breaks_is_told_so_and_harms_nobody(config: SessionConfig, edit: Any, code: str) -> None:
    async def scenario() -> None:
        rig = Rig(decode=lambda: 0.05, listen=lambda: 0.01, hop=0.02, engine=MoodyEngine(), vad=MoodyVad(), segmentation=SHORT)
        async with rig.running() as worker:
            heard = await together(
                {
                    "good": rig.client("good", chunked(CHAT, "good")),
                    "bad": rig.client("bad", edit(chunked(CHAT, "bad")), config=config),
                    "fine": rig.client("fine", chunked(CHAT, "fine", 777)),
                }
            )
            await asyncio.sleep(1.0)
            last = heard["bad"][-1]
            assert isinstance(last, SessionFailed)
            assert last.code == code
            assert not any(isinstance(event, SessionFailed) for event in heard["bad"][:-1])
            assert lasting(heard["good"]) == lasting(heard["fine"]) == lasting(alone(written(CHAT)))
            assert not worker._sessions
            with pytest.raises(IllegalTransition, match="not open"):
                await rig.log.append(Gap("bad", 999, 0, 10))

    run(scenario())


def test_a_session_that_broke_is_not_decoded_any_more() -> None:
    async def scenario() -> None:
        engine = ScriptedEngine()
        rig = Rig(decode=lambda: 1.5, engine=engine)
        async with rig.running():
            events = await rig.client("s", holed(chunked([("speech", 3.0)], "s")))
            await asyncio.sleep(10.0)
        assert isinstance(events[-1], SessionFailed)
        assert engine.tally.decodes == 1

    run(scenario())


# --- what is said of it in the log ---------------------------------------------------------------------------------------


def test_log_lines_name_session_segment_worker_and_model_and_hold_no_speech(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "starling")
    engine = ScriptedEngine(failing={0})

    async def scenario() -> list[SessionEvent]:
        rig = Rig(engine=engine)
        async with rig.running():
            return await rig.client("a", chunked(CHAT, "a"), config=CONFIG.updated(partials=False))

    said = [event.text for event in run(scenario()) if isinstance(event, Transcript) and event.text]
    lines = [record.msg for record in caplog.records if record.name == "starling.worker.live" and isinstance(record.msg, dict)]
    assert {line["event"] for line in lines} == {"final", "segment failed"}
    for line in lines:
        assert (line["session_id"], line["trace_id"]) == ("a", "trace")
        assert (line["worker_id"], line["model_version"]) == ("w1", engine.capabilities.model_version)
    assert sorted({line["segment"] for line in lines}) == list(range(len(said) + 1))
    assert said
    assert not any(text in caplog.text for text in said)


# --- overload --------------------------------------------------------------------------------------------------------------


def test_under_overload_finals_come_and_partials_get_rarer() -> None:
    async def scenario() -> None:
        depth = 0

        def cost() -> float:
            nonlocal depth
            depth = max(depth, len(worker._decoder._batcher))
            return 0.4

        rig = Rig(decode=cost, segmentation=SHORT)
        talk: list[Part] = [("speech", 1.5), ("silence", 0.5)] * 4
        async with rig.running() as worker:
            heard = await together({name: rig.client(name, chunked(talk, name)) for name in "abcdef"})
        expected = lasting(alone(written(talk)))
        for events in heard.values():
            assert lasting(events) == expected
        finals = 6 * sum(isinstance(event, Transcript) for event in expected)
        assert rig.measured("decodes_total", kind="final", outcome="ok") == finals
        assert rig.measured("decodes_total", kind="partial", outcome="superseded") > 20
        assert depth <= 2 * 6 * 2, "waiting jobs: at most a partial per session, and the finals that its lead allows"

    run(scenario())


def test_a_long_session_keeps_nothing_of_its_past() -> None:
    async def scenario() -> None:
        rig = Rig(segmentation=SHORT)
        kept: list[int] = []

        async def watch() -> None:
            while True:
                await asyncio.sleep(1.0)
                kept.extend(
                    len(live._streams) + len(live._records) + len(live._latency._segments) for live in worker._sessions.values()
                )

        talk: list[Part] = [("speech", 1.5), ("silence", 0.5)] * 20
        async with rig.running() as worker:
            watching = asyncio.create_task(watch())
            await rig.client("s", chunked(talk, "s"))
            await stopped(watching)
        assert len(kept) >= 39
        assert max(kept) <= 2

    run(scenario())


def test_a_client_faster_than_recognition_is_slowed_by_the_lead() -> None:
    async def scenario() -> None:
        rig = Rig(decode=lambda: 1.0, listen=lambda: 0.05, segmentation=SHORT)
        lags: list[int] = []

        async def watch() -> None:
            while True:
                await asyncio.sleep(0.5)
                lags.append(rig.log.lag())

        watching = asyncio.create_task(watch())
        talk: list[Part] = [("speech", 1.5), ("silence", 0.5)] * 60
        async with rig.running():
            events = await rig.client("s", written(talk, range(1600, samples(120), 1600)), in_real_time=False)
        await stopped(watching)
        assert samples(59.0) < max(lags) <= samples(60.1)
        assert lasting(events) == lasting(alone(written(talk)))

    run(scenario())


# --- law 4: death and restart ----------------------------------------------------------------------------------------------


@given(st.lists(scripts, min_size=1, max_size=3), st.lists(st.floats(0.01, 3.0), min_size=1, max_size=4), hops)
def test_whenever_a_worker_dies_no_final_is_lost(sessions: list[list[Part]], lives: list[float], hop: float) -> None:
    async def scenario() -> None:
        rig = Rig(decode=lambda: 0.3, listen=lambda: 0.02, hop=hop, segmentation=SHORT)

        async def mortal() -> None:
            for life in lives:
                task = asyncio.create_task(rig.worker().run())
                await asyncio.sleep(life)
                await stopped(task)

        dying = asyncio.create_task(mortal())
        clients = asyncio.create_task(
            together({str(i): rig.client(str(i), chunked(script, str(i))) for i, script in enumerate(sessions)})
        )
        await dying
        async with rig.running():
            heard = await clients
        for i, script in enumerate(sessions):
            told = [event for event in heard[str(i)] if isinstance(event, Transcript) and event.is_final]
            assert [final.segment_id for final in told] == sorted(final.segment_id for final in told)
            # Whoever drops what is said twice hears what one worker would have said.
            assert list(dict.fromkeys(lasting(heard[str(i)]))) == lasting(alone(written(script)))

    run(scenario())


def test_a_worker_that_dies_before_it_commits_repeats_itself_word_for_word() -> None:
    async def scenario() -> None:
        rig = Rig(decode=lambda: 0.2)
        records = written([("speech", 1.0), ("silence", 1.0), ("speech", 1.0)], range(1600, samples(3.0), 1600))
        client = asyncio.create_task(rig.client("s", records))
        first = asyncio.create_task(rig.worker().run())
        await asyncio.sleep(2.5)  # in the second segment
        await stopped(first)
        async with rig.running():
            events = await client
        starts = [event.segment_id for event in events if isinstance(event, SpeechStarted)]
        finals = [event for event in events if isinstance(event, Transcript) and event.is_final]
        assert starts == [0, 1]
        assert [final.segment_id for final in finals] == [0, 1]

    run(scenario())


# --- the end ---------------------------------------------------------------------------------------------------------------


def test_it_ends_when_the_log_is_closed_and_every_session_is_done() -> None:
    async def scenario() -> None:
        rig = Rig(decode=lambda: 5.0)
        task = asyncio.create_task(rig.worker().run())
        client = asyncio.create_task(rig.client("s", written([("speech", 1.0)])))
        await asyncio.sleep(1.5)
        await rig.log.close()
        await asyncio.sleep(1.0)
        assert not task.done(), "a final is still to come"
        events = await client
        assert events[-1] == SessionDone("s", 16_000, 1)
        async with asyncio.timeout(10):
            await task

    run(scenario())


def test_with_no_session_it_ends_at_once_and_idle_it_does_nothing() -> None:
    async def scenario() -> None:
        rig = Rig()
        task = asyncio.create_task(rig.worker().run())
        await asyncio.sleep(3600)
        assert not task.done()
        await rig.log.close()
        await settle()
        assert task.done()

    run(scenario())


def test_segments_longer_than_the_engine_takes_are_refused_at_the_start() -> None:
    with pytest.raises(InvalidOption, match=r"longer than the 10 s that scripted takes"):
        Rig(engine=ScriptedEngine(max_utterance=samples(10.0))).worker()


def test_an_engine_that_fails_a_segment_costs_only_its_text() -> None:
    async def scenario() -> None:
        rig = Rig(engine=ScriptedEngine(failing={0}))
        async with rig.running():
            events = await rig.client("s", written([("speech", 1.0), ("silence", 1.0), ("speech", 1.0)], [8000, 24_000]))
        finals = [event for event in events if isinstance(event, Transcript) and event.is_final]
        assert [(final.segment_id, bool(final.text)) for final in finals] == [(0, False), (1, True)]
        assert rig.measured("segments_total", outcome="failed") == 1
        assert rig.measured("segments_total", outcome="text") == 1
        assert [event.segment_id for event in events if isinstance(event, SpeechEnded)] == [0, 1]

    run(scenario())


def test_a_suspect_is_scored_alone_while_others_share_a_call() -> None:
    calls: list[tuple[str, ...]] = []

    class Watched(EnergyVad):
        def score(self, batch: Sequence[tuple[VadStream, Frames]]) -> list[Probabilities]:
            calls.append(rig.witness.in_hand[Work.LISTEN])
            return super().score(batch)

    rig = Rig(vad=Watched(), listen=lambda: 0.05)
    rig.witness.suspected.add("b")

    async def scenario() -> None:
        async with rig.running(), asyncio.TaskGroup() as clients:
            for name in "abc":
                clients.create_task(rig.client(name, chunked(CHAT, name)))

    run(scenario())
    assert ("b",) in calls
    assert all(call == ("b",) for call in calls if "b" in call)
    assert ("a", "c") in calls


class Babbler(ScriptedEngine):
    """An engine that is never sure."""

    def decode_streams(self, streams: Sequence[EngineStream]) -> list[DecodeOutcome]:
        outcomes = super().decode_streams(streams)
        return [replace(one, confidence=0.1) if isinstance(one, Hypothesis) else one for one in outcomes]


def test_what_is_withheld_is_counted_and_barked_at(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    rig = Rig(engine=Babbler())

    async def scenario() -> list[SessionEvent]:
        async with rig.running():
            return await rig.client("s", chunked([("speech", 25.0), ("silence", 1.0)], "s"))

    events = run(scenario())
    said = [event for event in events if isinstance(event, Transcript)]
    assert [event.text for event in said] == ["", ""]
    assert rig.measured("texts_withheld_total", reason="unlikely") == 2
    assert rig.measured("segments_total", outcome="empty") == 2
    assert rig.measured("words_total") == 0
    assert rig.measured("speech_seconds_total") == pytest.approx(25, abs=0.5)
    assert rig.measured("speech_without_text_total") == 1
    assert "'event': 'speech without text'" in caplog.text


def test_words_are_counted() -> None:
    rig = Rig()

    async def scenario() -> list[SessionEvent]:
        async with rig.running():
            return await rig.client("s", chunked([("speech", 30.0), ("silence", 1.0)], "s"))

    finals = [event for event in run(scenario()) if isinstance(event, Transcript) and event.is_final]
    assert rig.measured("words_total") == sum(len(final.text.split()) for final in finals) > 0
    assert rig.measured("speech_without_text_total") == 0


class Finisher(ScriptedEngine):
    """An engine that takes every text for a finished sentence."""

    def decode_streams(self, streams: Sequence[EngineStream]) -> list[DecodeOutcome]:
        outcomes = super().decode_streams(streams)
        return [replace(one, text=f"{one.text}.", confidence=0.95) if isinstance(one, Hypothesis) else one for one in outcomes]


@pytest.mark.parametrize("decode", [0.0, 0.4])
def test_a_finished_text_ends_its_segment_sooner_however_long_the_reading_takes(decode: float) -> None:
    script: list[Part] = [("speech", 1.0), ("silence", 0.4), ("speech", 1.0), ("silence", 0.2), ("speech", 0.5), ("silence", 2.0)]
    config = CONFIG.updated(endpoint_silence=1.0, finished_silence=0.25)
    rig = Rig(engine=Finisher(), decode=lambda: decode)

    async def scenario() -> list[SessionEvent]:
        async with rig.running():
            return await rig.client("s", chunked(script, "s"), config=config)

    events = run(scenario())
    assert_in_order(events)
    ended = [event for event in events if isinstance(event, SpeechEnded)]
    assert [round((event.noticed - event.at) / FRAME) for event in ended] == [8, 8]
    finals = [event for event in events if isinstance(event, Transcript) and event.is_final]
    assert all(final.text.endswith(".") for final in finals)
    assert rig.measured("endpoint_wait_seconds_sum") == pytest.approx(2 * 8 * FRAME / SAMPLE_RATE)


def test_what_a_session_held_is_free_when_it_is_over_without_a_search_for_it() -> None:
    async def scenario() -> None:
        rig = Rig()
        async with rig.running():
            for name in "abcde":
                await rig.client(name, chunked(CHAT, name))
            await settle()
            assert alive() - before <= 1, "loops may remember the last one"

    def alive() -> int:
        return sum(isinstance(it, LiveSession) for it in gc.get_objects())

    gc.collect()
    before = alive()
    gc.disable()
    try:
        run(scenario())
    finally:
        gc.enable()
