from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripted_session import conversation, silence, speech
from starling.core.audio import Samples
from starling.core.config import SessionConfig
from starling.core.errors import CorruptAudio, EngineFailed, InvalidOption, RecordingTooLong
from starling.core.records import Checkpoint
from starling.core.transcript import Transcript
from starling.engine.scripted import ScriptedEngine
from starling.recognizer import Recognizer
from starling.session.options import SegmentationOptions
from starling.transcriber.channel import Tools
from starling.transcriber.findings import Heard, Task
from starling.transcriber.transcribing import transcribe
from starling.vad.energy import EnergyVad
from starling.vad.gate import GateOptions

CONFIG = SessionConfig(endpoint_silence=0.3)


def tools() -> Tools:
    return Tools(engine=ScriptedEngine(), vad=EnergyVad(), segmentation=SegmentationOptions(), gate=GateOptions())


def task(checkpoints: Sequence[Checkpoint | None] = (), max_duration: float = 600.0) -> Task:
    return Task(job_id="local", config=CONFIG, checkpoints=tuple(checkpoints), max_duration=max_duration)


def cut(channels: Sequence[Samples], lengths: Sequence[int]) -> Iterator[Sequence[Samples]]:
    at = 0
    for length in lengths:
        yield [channel[at : at + length] for channel in channels]
        at += length
    yield [channel[at:] for channel in channels]


def finals(answers: Sequence[Heard], channel: int = 0) -> list[Transcript]:
    return [one.transcript for heard in answers for found in heard.found for one in found.segments if one.channel == channel]


def live(samples: Samples) -> list[Transcript]:
    """What the library says of it. Finals without text are left out: they only take partials back."""
    with Recognizer(engine=ScriptedEngine(), vad=EnergyVad()) as recognizer:
        return [final for final in recognizer.transcribe(samples, CONFIG) if final.text]


SCRIPTS = st.lists(st.sampled_from([0.2, 0.4, 0.9, 2.1, 7.0, 19.5]), min_size=1, max_size=5)
CUTS = st.lists(st.integers(1, 60_000), max_size=6)


@settings(max_examples=25)
@given(SCRIPTS, CUTS, st.integers(0, 5))
def test_the_text_is_that_of_live_recognition_however_it_is_cut(script: list[float], cuts: list[int], seed: int) -> None:
    sound = conversation(*script, seed=seed)
    assert finals(list(transcribe(cut([sound], cuts), task(), tools()))) == live(sound)


@settings(max_examples=8)
@given(SCRIPTS, st.integers(0, 5))
def test_whoever_goes_on_from_any_checkpoint_finds_the_rest_and_nothing_twice(script: list[float], seed: int) -> None:
    sound = conversation(*script, seed=seed)
    whole = list(transcribe(cut([sound], [16_000] * 20), task(), tools()))
    found = [found for heard in whole for found in heard.found]
    for number, one in enumerate(found):
        before = [segment.transcript for earlier in found[: number + 1] for segment in earlier.segments]
        rest = list(transcribe(cut([sound], [9_999] * 7), task([one.checkpoint]), tools()))
        assert before + finals(rest) == live(sound)


def test_channels_are_heard_apart_on_one_axis() -> None:
    left = np.concatenate([speech(1.0, 1), silence(3.0)])
    right = np.concatenate([silence(2.0), speech(1.0, 2), silence(1.0)])
    answers = list(transcribe(cut([left, right], [16_000] * 3), task(), tools()))
    assert finals(answers, 0) == live(left)
    assert finals(answers, 1) == live(right)
    assert finals(answers, 1)[0].start == pytest.approx(32_000, abs=512)


def test_a_channel_goes_on_where_it_was_whatever_the_others_did() -> None:
    left, right = conversation(0.5, 2.0, 0.5, 1.0, 0.5), conversation(0.5, 0.5, 3.0, 0.3, 0.2, seed=7)
    answers = list(transcribe(cut([left, right], [8_000] * 5), task(), tools()))
    last = {found.channel: found.checkpoint for heard in answers[:4] for found in heard.found}
    before = [segment for heard in answers[:4] for found in heard.found for segment in found.segments]
    rest = transcribe(cut([left, right], []), task([last.get(0), last.get(1)]), tools())
    after = [segment for heard in rest for found in heard.found for segment in found.segments]
    for channel, sound in enumerate([left, right]):
        assert [one.transcript for one in before + after if one.channel == channel] == live(sound)


def test_progress_is_what_all_channels_have_heard() -> None:
    answers = list(transcribe(cut([silence(10.0), silence(10.0)], [16_000] * 9), task(), tools()))
    done = [heard.done for heard in answers]
    assert len(done) == 11
    assert done == sorted(done)
    assert done[-1] == pytest.approx(10.0, abs=0.4)


def test_what_breaks_off_gives_what_was_said_before() -> None:
    sound = conversation(0.2, 3.0)

    def broken() -> Iterator[Sequence[Samples]]:
        yield [sound]
        raise CorruptAudio("cut off")

    answers = transcribe(broken(), task(), tools())
    assert finals([next(answers), next(answers)]) == live(sound)
    with pytest.raises(CorruptAudio, match="cut off"):
        next(answers)


def test_what_is_not_the_recordings_fault_leaves_it_open() -> None:
    def unreadable() -> Iterator[Sequence[Samples]]:
        yield [speech(1.0)]
        raise OSError(5, "Input/output error")

    answers = transcribe(unreadable(), task(), tools())
    assert finals([next(answers)]) == []
    with pytest.raises(OSError, match="Input/output"):
        next(answers)


def test_a_recording_is_as_long_as_it_is_whatever_it_says() -> None:
    answers = transcribe(cut([silence(30.0)], [16_000] * 29), task(max_duration=20.0), tools())
    with pytest.raises(RecordingTooLong, match="at most 20 seconds"):
        list(answers)


def test_a_segment_that_cannot_be_decoded_fails_the_attempt() -> None:
    failing = Tools(engine=ScriptedEngine(failing={1}), vad=EnergyVad(), segmentation=SegmentationOptions(), gate=GateOptions())
    with pytest.raises(EngineFailed):
        list(transcribe(cut([conversation(0.5, 1.0, 1.0, 1.0, 1.0)], []), task(), failing))


def test_a_language_that_the_engine_does_not_speak_is_refused() -> None:
    german = Task(job_id="local", config=SessionConfig(language="de"), max_duration=60.0)
    with pytest.raises(InvalidOption):
        list(transcribe([[silence(1.0)]], german, tools()))


def test_segments_are_decoded_together_and_none_waits_longer_than_it_may() -> None:
    heard_with = tools()
    assert isinstance(heard_with.engine, ScriptedEngine)
    sound = np.concatenate([conversation(0.5, 1.0, 0.5, 1.0, 0.5, 1.0), *[silence(1.0)] * 200])
    answers = list(transcribe(cut([sound], [16_000] * (len(sound) // 16_000)), task(), heard_with))
    assert finals(answers) == live(sound)
    assert heard_with.engine.tally.largest_batch > 1
    settled = next(heard.taken for heard in answers if heard.found and heard.found[0].segments)
    assert settled <= 130
