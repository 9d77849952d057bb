from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from scripted_session import CONFIG, Driver, conversation, silence, speech
from starling.core.audio import FRAME, SAMPLE_RATE, samples
from starling.core.config import VadMode
from starling.core.errors import EngineFailed, IllegalTransition
from starling.core.records import Audio, Checkpoint, Configure, Ended, Finalize, Gap, Opened, Record
from starling.core.transcript import Hypothesis, SegmentFailed, SessionDone, SpeechEnded, SpeechStarted, Transcript
from starling.engine.scripted import ScriptedEngine
from starling.session.commands import Begin, Commit, DecodeFinal, DecodePartial, Feed, Finish, Listen
from starling.session.machine import LEGAL, LISTEN_BLOCK, Event, Session, State
from starling.session.options import SegmentationOptions

OPTIONS = SegmentationOptions()

# --- the table ---------------------------------------------------------------------------------------------------------


def a_session(state: State = State.LISTENING) -> Session:
    session = Session(Opened("s", "t", Checkpoint(config=CONFIG)), OPTIONS)
    match state:
        case State.SCORING:
            session.receive(Audio("s", 0, 0, speech(1.0)))
        case State.TRYING:
            session = Session(Opened("s", "t", Checkpoint(config=CONFIG.updated(finished_silence=0.25))), OPTIONS)
            session.receive(Audio("s", 0, 0, conversation(0.0, 0.2, 0.3)))
            session.hear([1.0] * 6 + [0.0] * 9)
        case State.ENDING:
            session.receive(Audio("s", 0, 0, speech(0.2)))
            session.hear([1.0] * 6)
            session.receive(Ended("s", 1))
        case State.DONE:
            session.receive(Ended("s", 0))
    assert session.state is state
    return session


TELL: dict[Event, list[Callable[[Session], object]]] = {
    Event.RECORD: [
        lambda session: session.receive(Audio("s", 5, session._audio.end, silence(0.01))),
        lambda session: session.receive(Gap("s", 5, session._audio.end, 100)),
        lambda session: session.receive(Finalize("s", 5)),
        lambda session: session.receive(Configure("s", 5, CONFIG.updated(words=True))),
        lambda session: session.receive(Ended("s", 5)),
    ],
    Event.SCORES: [lambda session: session.hear([0.0])],
    Event.DECODED: [lambda session: session.decoded(0, Hypothesis(text="", end=0), is_final=False)],
}


@pytest.mark.parametrize("event", Event)
@pytest.mark.parametrize("state", State)
def test_the_table_is_the_truth(state: State, event: Event) -> None:
    for tell in TELL[event]:
        session = a_session(state)
        if (state, event) in LEGAL:
            tell(session)
            continue
        before = _snapshot(session)
        with pytest.raises(IllegalTransition, match=f"{state.name}, which has no {event.name}"):
            tell(session)
        assert _snapshot(session) == before


def _snapshot(session: Session) -> dict[str, object]:
    parts = {name: copy.deepcopy(value) for name, value in vars(session).items() if name not in {"_audio", "_ear", "_segments"}}
    return parts | {
        "audio": (session._audio.start, session._audio.end),
        "ear": (session._ear.position, session._ear.candidate, session._ear.speaking),
        "segments": [(segment.segment_id, segment.state, segment.fed) for segment in session._segments.values()],
    }


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(Audio("s", 9, 2001, silence(0.1)), id="audio after a hole"),
        pytest.param(Gap("s", 9, 2001, 100), id="a gap after a hole"),
        pytest.param(Opened("s", "t", Checkpoint(config=CONFIG)), id="a second opening"),
    ],
)
def test_a_record_that_does_not_fit_changes_nothing(record: Record) -> None:
    driver = Driver()
    driver.audio(np.zeros(2000, np.int16), 0)
    before = _snapshot(driver.session)
    with pytest.raises(IllegalTransition, match=r"expected|opened"):
        driver.tell(record)
    assert _snapshot(driver.session) == before
    driver.audio(silence(0.1), 2000)


# --- audio ---------------------------------------------------------------------------------------------------------------


def test_audio_that_is_known_already_is_ignored() -> None:
    sound = conversation(0.5, 1.0, 1.0)
    once, again = Driver(), Driver()
    once.audio(sound, 0)
    for start in range(0, len(sound), 4000):
        again.audio(sound[start : start + 4000], start)
        again.audio(sound[max(0, start - 1000) : start + 2000], max(0, start - 1000))
    [first], [second] = once.finals, again.finals
    assert (second.text, second.start, second.end) == (first.text, first.start, first.end)
    assert once.commits[-1].position == again.commits[-1].position


def test_frames_are_scored_in_blocks_and_only_whole_ones() -> None:
    driver = Driver()
    driver.audio(silence(1.0), 0)
    listens = [command.frames for command in driver.commands if isinstance(command, Listen)]
    assert [len(frames) for frames in listens] == [LISTEN_BLOCK, SAMPLE_RATE // FRAME - LISTEN_BLOCK]
    assert all(frames.shape[1] == FRAME for frames in listens)


def test_a_detector_forgets_when_listening_starts_afresh() -> None:
    driver = Driver()
    driver.audio(conversation(0.2, 0.5, 1.0), 0)
    fresh = [command.fresh for command in driver.commands if isinstance(command, Listen)]
    assert fresh == [True, False, True, False, False][: len(fresh)]
    assert fresh.count(True) == 1 + len(driver.finals)


def test_a_segment_hears_its_pre_roll_and_its_tail_but_not_its_neighbours() -> None:
    driver = Driver()
    driver.audio(conversation(1.0, 1.0, 1.0), 0)
    started, ended = (next(e for e in driver.events if isinstance(e, kind)) for kind in (SpeechStarted, SpeechEnded))
    [end] = [command.end for command in driver.commands if isinstance(command, DecodeFinal)]
    fed = sum(len(command.samples) for command in driver.commands if isinstance(command, Feed))
    assert end == samples(OPTIONS.pre_roll) + (ended.at - started.at) + samples(OPTIONS.tail)
    assert end <= fed


def test_memory_stays_bounded_through_a_long_session() -> None:
    driver = Driver()
    sound = conversation(1.0, 3.0, 1.0)
    for turn in range(40):
        driver.audio(sound, turn * len(sound))
        driver.commands.clear()
        driver.streams.clear()
    session = driver.session
    assert session._audio.end - session._audio.start <= samples(OPTIONS.idle_checkpoint)
    assert len(session._audio._store) <= samples(20.0)
    assert not session._segments
    assert not session._finals
    assert not session._checkpoints


# --- controls ------------------------------------------------------------------------------------------------------------


def test_finalize_in_mid_word_ends_the_segment_there_and_the_next_goes_on_from_there() -> None:
    driver = Driver()
    sound = speech(2.0)
    driver.audio(sound[:16_000], 0)
    driver.tell(Finalize("s", 10))
    driver.audio(sound[16_000:], 16_000)
    driver.end()
    assert [(final.start, final.end) for final in driver.finals] == [(0, 16_000), (16_000, 32_000)]


def test_finalize_in_the_silence_after_a_word_ends_the_segment_where_speech_did() -> None:
    driver = Driver()
    driver.audio(conversation(0.0, 1.024, 0.2), 0)
    driver.tell(Finalize("s", 10))
    assert [(final.start, final.end) for final in driver.finals] == [(0, 16_384)]
    assert driver.commits[-1].position == samples(1.224)


def test_finalize_in_silence_does_nothing() -> None:
    driver = Driver()
    driver.audio(silence(1.0), 0)
    driver.tell(Finalize("s", 10))
    assert not driver.events
    assert not driver.commits


def test_finalize_twice_is_finalize_once() -> None:
    driver = Driver()
    driver.audio(speech(1.0), 0)
    driver.tell(Finalize("s", 10))
    driver.tell(Finalize("s", 11))
    assert len(driver.finals) == 1


@pytest.mark.parametrize("last", [Ended("s", 10), Finalize("s", 10), Gap("s", 10, samples(1.05), 16_000)])
def test_speech_that_may_be_beginning_is_not_lost_when_audio_stops(last: Record) -> None:
    driver = Driver()
    driver.audio(np.concatenate((silence(1.0), speech(0.05))), 0)
    assert not driver.events
    driver.tell(last)
    assert [(e.segment_id, e.at) for e in driver.events if isinstance(e, SpeechStarted)] == [(0, 31 * FRAME)]
    assert [(final.start, final.end) for final in driver.finals] == [(31 * FRAME, samples(1.05))]


def test_a_gap_ends_the_open_segment_and_time_passes() -> None:
    driver = Driver()
    driver.audio(speech(1.0), 0)
    driver.tell(Gap("s", 10, 16_000, 48_000))
    driver.audio(speech(1.0, 1), 64_000)
    driver.end()
    assert [(final.start, final.end) for final in driver.finals] == [(0, 16_000), (64_000, 80_000)]
    assert driver.events[-1] == SessionDone("s", 80_000, 2)
    assert 64_000 in {checkpoint.position for checkpoint in driver.commits}


def test_a_gap_that_is_known_already_is_ignored() -> None:
    driver = Driver()
    driver.audio(speech(1.0), 0)
    driver.tell(Gap("s", 10, 8_000, 8_000))
    driver.tell(Gap("s", 11, 8_000, 4_000))
    assert not driver.finals


def test_options_count_at_once_in_silence() -> None:
    driver = Driver()
    driver.audio(silence(1.0), 0)
    driver.tell(Configure("s", 10, CONFIG.updated(vad=VadMode.OFF, words=True)))
    driver.audio(silence(1.0), 16_000)
    begin = next(command for command in driver.commands if isinstance(command, Begin))
    assert begin.options.words
    assert [command.mode for command in driver.commands if isinstance(command, Listen)][-1] is VadMode.OFF


def test_options_count_from_the_next_segment_on_in_speech() -> None:
    driver = Driver()
    driver.audio(speech(1.0), 0)
    driver.tell(Configure("s", 10, CONFIG.updated(words=True, language="en-GB", endpoint_silence=1.0)))
    driver.audio(conversation(0.7, 1.0, 0.7), 16_000)
    driver.end()
    assert [command.options.words for command in driver.commands if isinstance(command, Begin)] == [False, True]
    assert [bool(final.words) for final in driver.finals] == [False, True]
    ended = [e for e in driver.events if isinstance(e, SpeechEnded)]
    assert ended[0].noticed - ended[0].at < samples(0.4)
    assert ended[1].noticed - ended[1].at > samples(0.6)


def test_options_that_came_with_a_false_start_count_once_it_is_over() -> None:
    driver = Driver()
    driver.audio(speech(0.05), 0)
    driver.tell(Configure("s", 10, CONFIG.updated(words=True)))
    driver.audio(conversation(0.5, 1.0), 800)
    [begin] = [command for command in driver.commands if isinstance(command, Begin)]
    assert begin.options.words


def test_options_that_change_again_at_once_count_like_the_last_of_them_alone() -> None:
    last = Configure("s", 11, CONFIG.updated(endpoint_silence=0.6))
    finals = []
    for controls in ([Configure("s", 10, CONFIG.updated(words=True)), last], [last]):
        driver = Driver()
        driver.audio(silence(0.5), 0)
        for control in controls:
            driver.tell(control)
        driver.audio(conversation(0.0, 1.0, 1.0), 8000)
        finals.append([(final.start, final.end, final.text) for final in driver.finals])
    assert finals[0] == finals[1] != []


def test_the_same_options_again_change_nothing() -> None:
    driver = Driver()
    driver.audio(silence(1.0), 0)
    listened = len(driver.commands)
    driver.tell(Configure("s", 10, CONFIG))
    assert len(driver.commands) == listened


@pytest.mark.parametrize("known", [Finalize("s", 5), Configure("s", 5, CONFIG)])
def test_a_replayed_control_that_had_its_effect_has_none_again(known: Record) -> None:
    config = CONFIG.updated(words=True)  # asked for after sequence 5, and part of the checkpoint
    driver = Driver(checkpoint=Checkpoint(config=config, position=1000, next_segment=3, sequence=8))
    driver.tell(Audio("s", 4, 1000, speech(1.0)))
    driver.tell(known)
    driver.tell(Audio("s", 9, 17_000, conversation(0.0, 1.0, 0.5, 1.0, 0.5)))
    driver.tell(Ended("s", 10))
    first, second = driver.finals
    assert (first.segment_id, first.start, first.end > 32_000) == (3, 1000, True)
    assert second.segment_id == 4
    assert first.words
    assert second.words


# --- decodes -------------------------------------------------------------------------------------------------------------


def partials(driver: Driver) -> list[Transcript]:
    return [transcript for transcript in driver.transcripts if not transcript.is_final]


def test_partials_come_on_their_cadence() -> None:
    driver = Driver()
    sound = speech(3.0)
    for start in range(0, len(sound), FRAME):
        driver.audio(sound[start : start + FRAME], start)
    ends = [partial.end for partial in partials(driver)]
    assert ends[0] == 8 * FRAME  # the first frame boundary behind 0.25 s
    assert all(later - earlier == 10 * FRAME for earlier, later in pairwise(ends))


def test_no_partials_when_none_are_wanted() -> None:
    driver = Driver(checkpoint=Checkpoint(config=CONFIG.updated(partials=False)))
    driver.audio(speech(3.0), 0)
    assert not any(isinstance(command, DecodePartial) for command in driver.commands)


def test_a_partial_waits_for_the_final_before_it_to_be_told() -> None:
    driver = Driver(withhold=True)
    driver.audio(conversation(0.0, 1.0, 0.4), 0)
    driver.audio(speech(1.0, 1), samples(1.4))
    assert [segment for segment, _ in driver.withheld][-1] == 1
    while driver.withheld[-1] == (1, False):
        driver.answer(-1)
    assert not driver.transcripts
    while driver.withheld:
        driver.answer()
    driver.audio(speech(1.0, 2), samples(2.4))
    driver.answer()
    assert [(transcript.segment_id, transcript.is_final) for transcript in driver.transcripts] == [(0, True), (1, False)]


def test_a_partial_that_comes_after_the_endpoint_is_ignored() -> None:
    driver = Driver(withhold=True)
    driver.audio(conversation(0.0, 1.0, 0.5), 0)
    driver.answer(driver.withheld.index((0, False)))
    assert not driver.transcripts


def test_finals_are_told_in_order_and_commit_only_what_they_cover() -> None:
    driver = Driver(withhold=True)
    driver.audio(conversation(0.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5), 0)
    finals = [index for index, (_, is_final) in enumerate(driver.withheld) if is_final]
    driver.answer(finals[2])
    driver.answer(finals[1])
    assert not driver.transcripts
    assert not driver.commits
    driver.answer(finals[0])
    assert [(final.segment_id, final.is_final) for final in driver.transcripts] == [(0, True), (1, True), (2, True)]
    assert [checkpoint.next_segment for checkpoint in driver.commits] == [1, 2, 3]


def test_a_failed_decode_says_so_then_empties_the_segment_and_the_session_goes_on() -> None:
    driver = Driver(engine=ScriptedEngine(failing={0}))
    driver.audio(conversation(0.0, 1.0, 0.5, 1.0, 0.5), 0)
    driver.end()
    first, second = driver.finals
    failed = driver.events.index(first) - 1
    assert driver.events[failed] == SegmentFailed("s", 0, "engine_failed", "stream 0 fails, as it was told to")
    assert (first.text, first.segment_id) == ("", 0)
    assert second.text
    assert driver.events[-1] == SessionDone("s", samples(3.0), 2)


def test_a_failed_partial_is_no_event() -> None:
    driver = Driver(engine=ScriptedEngine(failing={0}))
    driver.audio(speech(1.0), 0)
    assert [type(event) for event in driver.events] == [SpeechStarted]


def test_an_answer_nobody_waits_for_is_ignored() -> None:
    session = a_session()
    assert session.decoded(99, Hypothesis(text="late", end=1), is_final=True) == []
    assert session.decoded(99, EngineFailed("late"), is_final=False) == []


def test_words_are_at_their_positions_in_the_session() -> None:
    driver = Driver(checkpoint=Checkpoint(config=CONFIG.updated(words=True)))
    driver.audio(conversation(1.0, 1.0, 1.0), 0)
    [final] = driver.finals
    assert final.words
    for word in final.words:
        assert final.start - samples(OPTIONS.pre_roll) <= word.start < word.end <= final.end + samples(OPTIONS.tail)
    assert final.words[0].end > final.start


# --- the end -------------------------------------------------------------------------------------------------------------


def test_an_empty_session_is_done_at_once() -> None:
    driver = Driver()
    driver.end()
    assert driver.events == [SessionDone("s", 0, 0)]
    assert isinstance(driver.commands[-1], Finish)


def test_the_session_is_done_after_its_last_final() -> None:
    driver = Driver(withhold=True)
    driver.audio(speech(0.2), 0)
    driver.end()
    assert driver.session.state is State.ENDING
    assert [type(event) for event in driver.events] == [SpeechStarted, SpeechEnded]
    driver.answer(driver.withheld.index((0, True)))
    assert [type(event) for event in driver.events[2:]] == [Transcript, SessionDone]
    assert [type(command) for command in driver.commands[-3:]][-1] is Finish
    assert isinstance(driver.commands[-3], Commit)


def test_a_session_goes_on_after_its_checkpoint() -> None:
    driver = Driver(checkpoint=Checkpoint(config=CONFIG, position=50_000, next_segment=4))
    driver.audio(conversation(0.5, 1.0, 0.5), 50_000)
    driver.end()
    [final] = driver.finals
    assert (final.segment_id, final.revision > 0) == (4, True)
    assert 57_000 < final.start < 59_000
    assert driver.events[-1] == SessionDone("s", 50_000 + samples(2.0), 5)


def test_a_reading_in_a_pause_that_fails_is_done_again_at_the_end() -> None:
    hasty = Checkpoint(config=CONFIG.updated(finished_silence=0.25))
    driver = Driver(checkpoint=hasty, engine=ScriptedEngine(failing={0}))
    driver.audio(conversation(0.0, 1.0, 1.0), 0)
    driver.end()
    [final] = driver.finals
    assert final.text
    assert not any(isinstance(event, SegmentFailed) for event in driver.events)


def test_a_pause_that_lasts_is_read_once() -> None:
    driver = Driver(checkpoint=Checkpoint(config=CONFIG.updated(finished_silence=0.25)))
    driver.audio(conversation(0.0, 1.0, 1.0), 0)
    driver.end()
    assert len(driver.finals) == driver.engine.tally.finals == 1
