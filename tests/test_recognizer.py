from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripted_session import CONFIG, conversation
from starling.core.audio import Samples, samples
from starling.core.errors import IllegalTransition, InvalidOption, UnsupportedAudio
from starling.core.transcript import SegmentFailed, SessionDone, SpeechStarted, Transcript
from starling.engine.scripted import ScriptedEngine, scripted_text
from starling.recognizer import Recognizer
from starling.vad.energy import EnergyVad
from starling.vad.gate import GateOptions

SOUND = conversation(0.5, 1.2, 0.8, 0.7, 3.0, 1.0, 0.4)


def a_recognizer(engine: ScriptedEngine | None = None) -> Recognizer:
    # The gate hears with WebRTC, which has its own opinion of noise.
    return Recognizer(engine=engine or ScriptedEngine(), vad=EnergyVad(), gate=GateOptions(enabled=False))


@given(st.lists(st.integers(0, len(SOUND)), max_size=8))
def test_a_stream_says_what_the_recording_says(cuts: list[int]) -> None:
    with a_recognizer() as recognizer:
        whole = list(recognizer.transcribe(SOUND, CONFIG))
        stream = recognizer.create_stream(CONFIG)
        events = [event for block in np.split(SOUND, sorted(cuts)) for event in stream.accept_waveform(block)]
        events += stream.input_finished()
    finals = [event for event in events if isinstance(event, Transcript) and event.is_final]
    assert [(final.text, final.start, final.end) for final in finals] == [(final.text, final.start, final.end) for final in whole]
    assert len(finals) == 3
    assert all(final.text for final in finals)
    assert events[-1] == SessionDone("local", len(SOUND), 3)


def test_finals_of_a_recording_come_while_the_rest_is_still_to_be_heard() -> None:
    engine = ScriptedEngine()
    transcripts = a_recognizer(engine).transcribe(SOUND, CONFIG)
    next(transcripts)
    assert engine.tally.finals == 1


def test_blocks_may_come_one_by_one() -> None:
    recognizer = a_recognizer()
    blocks = (SOUND[start : start + 777] for start in range(0, len(SOUND), 777))
    assert list(recognizer.transcribe(blocks, CONFIG)) == list(recognizer.transcribe(SOUND, CONFIG))


def test_partials_come_while_the_segment_is_open() -> None:
    stream = a_recognizer().create_stream(CONFIG)
    events = stream.accept_waveform(SOUND[: samples(1.5)])
    assert isinstance(events[0], SpeechStarted)
    assert [type(event) for event in events[1:]] == [Transcript] * (len(events) - 1)
    assert len(events) > 2


def test_finalize_ends_the_segment() -> None:
    stream = a_recognizer().create_stream(CONFIG)
    stream.accept_waveform(SOUND[: samples(1.0)])
    final = stream.finalize()[-1]
    assert isinstance(final, Transcript)
    assert (final.is_final, final.end) == (True, samples(1.0))
    assert final.text == scripted_text(SOUND[final.start - samples(0.3) : final.end])


def test_a_failed_segment_is_told_and_the_next_one_is_heard() -> None:
    events = a_recognizer(ScriptedEngine(failing={0})).create_stream(CONFIG).accept_waveform(SOUND)
    assert [event.segment_id for event in events if isinstance(event, SegmentFailed)] == [0]
    assert [bool(event.text) for event in events if isinstance(event, Transcript) and event.is_final] == [False, True, True]


@pytest.mark.parametrize("samples", [np.zeros(160, np.float32), np.zeros((160, 1), np.int16)], ids=["float", "channels"])
def test_other_samples_are_refused_and_change_nothing(samples: Samples) -> None:
    stream = a_recognizer().create_stream(CONFIG)
    with pytest.raises(UnsupportedAudio, match="expected one channel of int16"):
        stream.accept_waveform(samples)
    assert stream.input_finished() == [SessionDone("local", 0, 0)]


def test_after_its_end_a_stream_takes_no_more() -> None:
    stream = a_recognizer().create_stream(CONFIG)
    stream.input_finished()
    with pytest.raises(IllegalTransition):
        stream.accept_waveform(SOUND)
    with pytest.raises(IllegalTransition):
        stream.input_finished()


def test_a_language_the_engine_does_not_speak_is_refused_before_anything_is_heard() -> None:
    with a_recognizer() as recognizer, pytest.raises(InvalidOption, match="language must be one of en, got 'de'"):
        recognizer.create_stream(CONFIG.updated(language="de"))
