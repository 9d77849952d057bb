"""The laws of ARCHITECTURE.md that a session must keep whatever it is given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scripted_session import CONFIG, Driver, Part, written
from starling.core.audio import Samples, samples
from starling.core.ports import DecodeOutcome, EngineStream
from starling.core.records import Audio, Checkpoint, Gap, Record
from starling.core.transcript import Hypothesis, SessionDone, SessionEvent, SpeechEnded, SpeechStarted, Transcript
from starling.engine.scripted import ScriptedEngine, ScriptedStream, scripted_text
from starling.session.options import SegmentationOptions

SHORT = SegmentationOptions(max_segment=2.0, min_segment=1.0, idle_checkpoint=1.0, nonspeech_guard=False)

durations = st.floats(0.0, 2.5).map(lambda duration: round(duration, 3))
sounds: st.SearchStrategy[Part] = st.tuples(st.sampled_from(["silence", "speech", "mumble"]), durations)
controls: st.SearchStrategy[Part] = st.one_of(
    st.just(("finalize", 0.0)),
    st.tuples(st.just("configure"), st.sampled_from([0.1, 0.3, 0.6])),
    st.tuples(st.just("gap"), durations),
)
scripts = st.lists(st.one_of(sounds, sounds, controls), max_size=10)
cuts = st.lists(st.integers(0, samples(12.0)), max_size=12)


def heard(records: Iterable[Record], checkpoint: Checkpoint | None = None) -> Driver:
    driver = Driver(options=SHORT) if checkpoint is None else Driver(checkpoint=checkpoint, options=SHORT)
    driver.play(records)
    return driver


def lasting(events: Iterable[SessionEvent]) -> list[SessionEvent]:
    """What must come out the same however often it is said: partials come and go, and with them the count of revisions."""
    return [
        replace(event, revision=0) if isinstance(event, Transcript) else event
        for event in events
        if not isinstance(event, Transcript) or event.is_final
    ]


@given(scripts, cuts)
def test_law_1_chunking_does_not_change_segments_nor_finals(parts: list[Part], at: list[int]) -> None:
    whole, chunked = heard(written(parts)), heard(written(parts, at))
    assert lasting(chunked.events) == lasting(whole.events)
    assert [(c.position, c.next_segment, c.config) for c in chunked.commits] == [
        (c.position, c.next_segment, c.config) for c in whole.commits
    ]


@given(scripts, cuts)
def test_law_2_a_final_is_what_the_engine_says_of_its_samples(parts: list[Part], at: list[int]) -> None:
    driver = heard(written(parts, at))
    for final in driver.finals:
        stream = driver.streams[final.segment_id]
        assert isinstance(stream, ScriptedStream)
        assert final.text == final.stable_text == scripted_text(stream.snapshot().samples)


def staged(records: Iterable[Record], checkpoint: Checkpoint) -> list[Record]:
    """What an audio log replays after ``checkpoint``: of all that is not before its position, everything."""
    kept: list[Record] = []
    position = 0
    for record in records:
        is_sound = isinstance(record, Audio | Gap)
        position = record.end if isinstance(record, Audio | Gap) else position
        if position > checkpoint.position or (position == checkpoint.position and not is_sound):
            kept.append(record)
    return kept


@given(scripts, cuts, st.data())
def test_law_4_a_session_restored_at_any_checkpoint_says_the_rest(parts: list[Part], at: list[int], data: st.DataObject) -> None:
    records = written(parts, at)
    first = heard(records)
    if not first.commits:
        return
    checkpoint = data.draw(st.sampled_from(first.commits))
    # The gap that a checkpoint lies behind was skipped up to its end; everything else replays from the very sample.
    again = heard(staged(records, checkpoint), checkpoint)
    rest = [e for e in lasting(first.events) if isinstance(e, SessionDone) or _segment(e) >= checkpoint.next_segment]
    assert lasting(again.events) == rest


def _segment(event: SessionEvent) -> int:
    assert isinstance(event, Transcript | SpeechStarted | SpeechEnded)
    return event.segment_id


@given(scripts, cuts, st.data())
def test_law_5_revisions_grow_and_nothing_follows_a_final(parts: list[Part], at: list[int], data: st.DataObject) -> None:
    driver = Driver(options=SHORT, withhold=True)
    for record in written(parts, at):
        driver.tell(record)
        for _ in range(data.draw(st.integers(0, 2))):
            answer_any(driver, data)
    while driver.withheld:
        answer_any(driver, data)
    last: dict[int, Transcript] = {}
    order: list[int] = []
    for transcript in driver.transcripts:
        before = last.get(transcript.segment_id)
        if before is not None and not transcript.is_final:
            assert f"{transcript.stable_text} ".startswith(f"{before.stable_text} ".lstrip())
        assert before is None or not before.is_final
        assert transcript.revision == (1 if before is None else before.revision + 1)
        assert transcript.text.startswith(transcript.stable_text)
        assert set(order) == set(range(transcript.segment_id)), "a segment speaks after the finals of those before it"
        last[transcript.segment_id] = transcript
        if transcript.is_final:
            order.append(transcript.segment_id)
    started = [e.segment_id for e in driver.events if isinstance(e, SpeechStarted)]
    assert order == started == list(range(len(started)))
    assert driver.events[-1] == SessionDone(
        "s", sum(samples(d) for kind, d in parts if kind not in {"finalize", "configure"}), len(order)
    )


def answer_any(driver: Driver, data: st.DataObject) -> None:
    """Answer a decode of any segment, but those of one segment in the order in which they were asked for."""
    if driver.withheld:
        first = {segment: index for index, (segment, _) in reversed(list(enumerate(driver.withheld)))}
        driver.answer(data.draw(st.sampled_from(sorted(first.values()))))


@given(scripts, cuts)
def test_segments_do_not_overlap_and_stay_inside_the_audio(parts: list[Part], at: list[int]) -> None:
    driver = heard(written(parts, at))
    ends = {e.segment_id: e for e in driver.events if isinstance(e, SpeechEnded)}
    done = driver.events[-1]
    assert isinstance(done, SessionDone)
    position = 0
    for final in driver.finals:
        assert position <= final.start < final.end <= done.position
        assert ends[final.segment_id].at == final.end <= ends[final.segment_id].noticed
        position = final.end


@given(scripts, cuts)
def test_no_sample_is_used_twice(parts: list[Part], at: list[int]) -> None:
    driver = heard(written(parts, at))
    end = 0
    for start, audio in used(driver):
        assert start >= end
        end = start + len(audio)


@given(st.floats(2.5, 15.0), cuts)
def test_where_speech_is_cut_no_sample_is_lost(duration: float, at: list[int]) -> None:
    records = written([("speech", duration)], at)
    driver = heard(records)
    assert len(driver.finals) > 1
    whole = np.concatenate([record.samples for record in records if isinstance(record, Audio)])
    np.testing.assert_array_equal(np.concatenate([audio for _, audio in used(driver)]), whole)


def used(driver: Driver) -> Iterable[tuple[int, Samples]]:
    """For each segment where the audio begins that its final was made of, and that audio."""
    for final in driver.finals:
        stream = driver.streams[final.segment_id]
        assert isinstance(stream, ScriptedStream)
        yield driver.starts[final.segment_id], stream.snapshot().samples


@given(scripts, cuts)
def test_words_do_not_overlap_and_stay_inside_their_segment(parts: list[Part], at: list[int]) -> None:
    driver = heard(written(parts, at), Checkpoint(config=CONFIG.updated(words=True)))
    position = 0
    for final in driver.finals:
        for word in final.words:
            assert position <= word.start < word.end
            position = word.end
        assert not final.words or driver.starts[final.segment_id] <= final.words[0].start
    done = driver.events[-1]
    assert isinstance(done, SessionDone)
    assert position <= done.position


@given(scripts, cuts)
def test_checkpoints_move_forward_and_follow_the_finals_they_cover(parts: list[Part], at: list[int]) -> None:
    driver = heard(written(parts, at))
    for before, after in pairwise(driver.commits):
        assert before.position <= after.position
        assert before.next_segment <= after.next_segment
        assert before.sequence <= after.sequence


@given(scripts, st.integers(160, 16_000))
def test_law_6_what_is_not_committed_is_bounded(parts: list[Part], chunk: int) -> None:
    driver, position = Driver(options=SHORT), 0
    for record in written(parts, range(0, samples(25.0), chunk)):
        driver.tell(record)
        position = record.end if isinstance(record, Audio | Gap) else position
        committed = driver.commits[-1].position if driver.commits else 0
        assert position - committed < samples(SHORT.longest_uncommitted)


@given(st.floats(3.0, 60.0), st.integers(160, 16_000))
def test_law_7_silence_is_forgotten(duration: float, chunk: int) -> None:
    driver = Driver(options=SHORT)
    driver.play(written([("silence", duration)], range(0, samples(duration), chunk))[:-1])
    assert driver.commits[-1].next_segment == 0
    assert samples(duration) - driver.commits[-1].position < samples(1.5)


HASTY = CONFIG.updated(endpoint_silence=0.6, finished_silence=0.25)


class Finisher(ScriptedEngine):
    """Of half of all texts it says that they are finished."""

    def decode_streams(self, streams: Sequence[EngineStream]) -> list[DecodeOutcome]:
        outcomes = super().decode_streams(streams)
        return [
            replace(one, text=f"{one.text}.", confidence=1.0) if isinstance(one, Hypothesis) and len(one.text) % 2 else one
            for one in outcomes
        ]


def hastily(records: Iterable[Record], checkpoint: Checkpoint | None = None) -> Driver:
    driver = Driver(checkpoint=checkpoint or Checkpoint(config=HASTY), options=SHORT, engine=Finisher())
    driver.play(records)
    return driver


unchanged = st.lists(st.one_of(sounds, sounds, st.tuples(st.just("gap"), durations), st.just(("finalize", 0.0))), max_size=10)


@given(unchanged, cuts, st.data())
def test_laws_1_2_and_4_hold_where_finished_texts_end_segments(parts: list[Part], at: list[int], data: st.DataObject) -> None:
    records = written(parts, at)
    whole, chunked = hastily(written(parts)), hastily(records)
    assert lasting(chunked.events) == lasting(whole.events)
    end = 0
    for start, audio in used(chunked):
        assert start >= end
        end = start + len(audio)
    for final in chunked.finals:
        stream = chunked.streams[final.segment_id]
        assert isinstance(stream, ScriptedStream)
        assert final.text.removesuffix(".") == scripted_text(stream.snapshot().samples)
    if chunked.commits:
        checkpoint = data.draw(st.sampled_from(chunked.commits))
        again = hastily(staged(records, checkpoint), checkpoint)
        rest = [e for e in lasting(chunked.events) if isinstance(e, SessionDone) or _segment(e) >= checkpoint.next_segment]
        assert lasting(again.events) == rest


@given(unchanged, cuts)
def test_a_pause_in_which_nothing_looks_finished_changes_nothing(parts: list[Part], at: list[int]) -> None:
    hasty, patient = (
        Driver(checkpoint=Checkpoint(config=config), options=SHORT) for config in (HASTY, HASTY.updated(finished_silence=10.0))
    )
    hasty.play(written(parts, at))
    patient.play(written(parts, at))
    assert lasting(hasty.events) == lasting(patient.events)
