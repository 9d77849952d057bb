from __future__ import annotations

import difflib
import itertools
import re
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from contracts.engine_contract import EngineContract, Subject
from recordings import recording
from starling.core.audio import SAMPLE_RATE, Samples
from starling.core.config import Quality
from starling.core.errors import EngineFailed
from starling.core.hotwords import HotWord
from starling.core.ports import EngineStream, StreamOptions
from starling.core.transcript import Hypothesis
from starling.engine.moonshine import Model, MoonshineEngine
from starling.engine.moonshine.engine import MoonshineStream
from starling.engine.moonshine.graphs import Encoding, token_limit
from starling.engine.moonshine.hearing import Echoes
from starling.engine.moonshine.shipped import ShippedGraphs

pytestmark = pytest.mark.model


def decode(engine: MoonshineEngine, stream: EngineStream) -> Hypothesis:
    (outcome,) = engine.decode_streams([stream])
    assert isinstance(outcome, Hypothesis), outcome
    return outcome


def final(engine: MoonshineEngine, samples: Samples, quality: Quality = Quality.BALANCED, *, words: bool = False) -> Hypothesis:
    stream = engine.create_stream(StreamOptions(quality=quality, words=words))
    stream.accept_waveform(samples)
    stream.input_finished(len(samples))
    return decode(engine, stream)


class BrokenGraphs(ShippedGraphs):
    """Quotes what it was given when it fails, as a library may."""

    def __init__(self) -> None:
        pass

    def hear(self, audio: Samples | NDArray[np.float32], echoes: Echoes | None = None) -> Encoding:
        raise ValueError(f"cannot encode {audio.tolist()}")


class MoonshineContract(EngineContract):
    @pytest.fixture
    def model(self) -> Model:
        raise NotImplementedError

    @pytest.fixture
    def subject(self, model: Model) -> Subject:
        def break_stream(stream: EngineStream) -> None:
            assert isinstance(stream, MoonshineStream)
            stream.progress.draft = (10**6,)

        speech = recording("two_cities")
        return Subject(
            engine=MoonshineEngine(model),
            speech=[speech[16_000:60_000], speech[80_000:112_000], speech[130_000:154_000]],
            break_stream=break_stream,
        )


class TestRebuilt(MoonshineContract):
    @pytest.fixture
    def model(self, moonshine: Model) -> Model:
        return moonshine


class TestExact(MoonshineContract):
    @pytest.fixture
    def model(self, exact_moonshine: Model) -> Model:
        return exact_moonshine


class TestShipped(MoonshineContract):
    @pytest.fixture
    def model(self, shipped_moonshine: Model) -> Model:
        return shipped_moonshine


@pytest.mark.usefixtures("warmed_up_as_ever")
def test_a_server_s_warming_up_changes_nothing(moonshine: Model) -> None:
    engine, samples = MoonshineEngine(moonshine), recording("beckett")[:32_000]
    before = final(engine, samples)
    engine.warm_up()
    assert final(engine, samples) == before


@pytest.fixture(scope="module")
def engine(moonshine: Model) -> MoonshineEngine:
    return MoonshineEngine(moonshine)


def words(text: str) -> str:
    """The words of ``text``: processors whose int8 products round differently may move a comma."""
    return " ".join(re.findall(r"\w+", text.lower()))


def test_it_reads_the_opening_of_a_tale_of_two_cities(engine: MoonshineEngine) -> None:
    hypothesis = final(engine, recording("two_cities")[:136_000])
    assert words(hypothesis.text) == (
        "it was the best of times it was the worst of times it was the age of wisdom it was the age of foolishness"
    )


def test_it_reads_beckett(engine: MoonshineEngine) -> None:
    hypothesis = final(engine, recording("beckett"))
    assert words(hypothesis.text) == "ever tried ever failed no matter try again fail again fail better"
    assert hypothesis.end == len(recording("beckett"))
    assert hypothesis.confidence is not None
    assert 0.8 < hypothesis.confidence < 0.95


def test_partials_follow_the_speech_to_its_end(engine: MoonshineEngine) -> None:
    samples = recording("beckett")
    stream = engine.create_stream(StreamOptions())
    partials = []
    for start in range(0, len(samples), 16_000):
        stream.accept_waveform(samples[start : start + 16_000])
        partials.append(decode(engine, stream))
    assert [partial.end for partial in partials] == [*range(16_000, len(samples), 16_000), len(samples)]
    assert partials[2].text.startswith("Ever tried")
    assert partials[-1].text.endswith("fail better.")


def test_a_partial_cut_at_the_onset_of_a_word_does_not_repeat_itself(engine: MoonshineEngine) -> None:
    stream = engine.create_stream(StreamOptions())
    stream.accept_waveform(recording("two_cities")[: round(6.8 * SAMPLE_RATE)])
    assert decode(engine, stream).text.count("wisdom") == 1


def test_clear_speech_is_surer_than_noise(engine: MoonshineEngine) -> None:
    noise = np.random.default_rng(0).normal(0, 2000, 3 * SAMPLE_RATE).astype(np.int16)
    speech, hiss = final(engine, recording("two_cities")[: 5 * SAMPLE_RATE]), final(engine, noise)
    assert speech.confidence is not None
    assert hiss.confidence is None or hiss.confidence < 0.7 * speech.confidence


def test_a_final_has_no_more_tokens_than_its_duration_allows(engine: MoonshineEngine) -> None:
    stream = engine.create_stream(StreamOptions())
    assert isinstance(stream, MoonshineStream)
    samples = np.tile(recording("two_cities")[20_000:26_000], 8)
    for start in range(0, len(samples), 6_000):
        stream.accept_waveform(samples[start : start + 6_000])
        decode(engine, stream)
        assert len(stream.progress.draft) <= token_limit(samples[: start + 6_000])


def test_an_error_of_a_decode_quotes_neither_audio_nor_text(moonshine: Model) -> None:
    engine = MoonshineEngine(replace(moonshine, graphs=BrokenGraphs()))
    stream = engine.create_stream(StreamOptions())
    stream.accept_waveform(recording("beckett"))
    (failure,) = engine.decode_streams([stream])
    assert isinstance(failure, EngineFailed)
    assert failure.message == "decoding raised ValueError in hear: the utterance has no text"
    assert (failure.__cause__, failure.__context__, failure.__traceback__) == (None, None, None)


def test_a_stream_recovers_when_its_decode_does(engine: MoonshineEngine) -> None:
    samples = recording("beckett")[:32_000]
    stream = engine.create_stream(StreamOptions())
    stream.accept_waveform(samples)
    stream.progress.draft = (10**6,)
    (failure,) = engine.decode_streams([stream])
    assert isinstance(failure, EngineFailed)
    stream.input_finished(len(samples))
    assert decode(engine, stream) == final(engine, samples)


def final_with_words(engine: MoonshineEngine, samples: Samples) -> Hypothesis:
    stream = engine.create_stream(StreamOptions(words=True))
    stream.accept_waveform(samples)
    stream.input_finished(len(samples))
    return decode(engine, stream)


@pytest.fixture(params=["moonshine", "exact_moonshine"])
def timing(request: pytest.FixtureRequest) -> MoonshineEngine:
    return MoonshineEngine(request.getfixturevalue(request.param))


def test_words_are_timed_and_say_the_text(timing: MoonshineEngine) -> None:
    hypothesis = final_with_words(timing, recording("two_cities")[:136_000])
    assert " ".join(word.text for word in hypothesis.words) == hypothesis.text
    assert all(word.confidence is not None and 0 < word.confidence <= 1 for word in hypothesis.words)
    assert hypothesis == replace(final(timing, recording("two_cities")[:136_000]), words=hypothesis.words)


# What stands between pauses in a recording of a dialogue, by where its sound begins and ends:
# "Do you hear me?", "Yes.", "Not now.", "Yes.", "What are you talking about?", "No."
SAYINGS = [(1_600, 14_400), (25_440, 29_120), (360_640, 369_600), (63_360, 67_200), (281_760, 300_640), (449_120, 452_320)]


def laid_out(seed: int) -> tuple[Samples, list[tuple[int, int]]]:
    """The sayings with silence of 0.1 to 1 s between them, and where each begins and ends."""
    dialogue, silence = recording("endgame_nagg_nell"), np.random.default_rng(seed)
    pieces, spans, position = [], [], 0
    for start, end in SAYINGS:
        pause = int(silence.integers(1_600, 16_000))
        pieces += [np.zeros(pause, np.int16), dialogue[start:end]]
        spans.append((position + pause, position + pause + end - start))
        position = spans[-1][1]
    return np.concatenate(pieces), spans


def test_words_are_found_where_they_were_laid(timing: MoonshineEngine) -> None:
    errors: list[int] = []
    for seed in range(3):
        samples, spans = laid_out(seed)
        words = final_with_words(timing, samples).words
        for start, end in spans:
            inside = [word for word in words if start < (word.start + word.end) // 2 < end]
            assert inside, f"no word was found from {start} to {end}"
            errors += [abs(inside[0].start - start), abs(inside[-1].end - end)]
    assert np.median(errors) <= 0.060 * SAMPLE_RATE
    assert np.percentile(errors, 90) <= 0.200 * SAMPLE_RATE


def test_a_word_cut_out_tightly_is_understood_and_found(timing: MoonshineEngine) -> None:
    start, end = SAYINGS[2]
    hypothesis = final_with_words(timing, recording("endgame_nagg_nell")[start:end])
    assert words(hypothesis.text) == "not now"
    first, last = hypothesis.words
    assert (first.start < 2_000, last.end > end - start - 2_000, first.end <= last.start) == (True, True, True)


def test_words_of_partials_are_as_exact_as_asked(timing: MoonshineEngine) -> None:
    spans = {}
    for exact in (False, True):
        stream = timing.create_stream(StreamOptions(words=True, partial_words=exact))
        stream.accept_waveform(recording("beckett")[:48_000])
        words = decode(timing, stream).words
        spans[exact] = [(word.start, word.end) for word in words]
        assert all(one.end <= other.start for one, other in itertools.pairwise(words))
    assert len(spans[True]) == len(spans[False]) > 3
    assert all(rough[0] <= start < end <= rough[1] for rough, (start, end) in zip(spans[False], spans[True], strict=True))
    assert spans[True] != spans[False]


def test_a_fast_final_is_as_greedy_as_a_partial(timing: MoonshineEngine) -> None:
    samples = recording("two_cities")[16_000:60_000]
    stream = timing.create_stream(StreamOptions())
    stream.accept_waveform(samples)
    partial = decode(timing, stream)
    assert final(timing, samples, Quality.FAST).text == partial.text


def test_qualities_read_nearly_the_same_of_clear_speech(timing: MoonshineEngine) -> None:
    fast, *better = (words(final(timing, recording("two_cities")[16_000:160_000], quality).text).split() for quality in Quality)
    for text in better:
        assert difflib.SequenceMatcher(None, fast, text).ratio() > 0.8


@pytest.mark.parametrize("quality", Quality)
@pytest.mark.parametrize("length", [3_199, 3_200, 9_000, 40_000])
def test_every_quality_takes_every_length(timing: MoonshineEngine, quality: Quality, length: int) -> None:
    hypothesis = final(timing, recording("two_cities")[16_000 : 16_000 + length], quality, words=True)
    assert " ".join(word.text for word in hypothesis.words) == hypothesis.text
    assert all(0 <= word.start <= word.end <= length for word in hypothesis.words)


@pytest.mark.parametrize("quality", Quality)
def test_the_shipped_graphs_take_every_quality(shipped_moonshine: Model, quality: Quality) -> None:
    engine = MoonshineEngine(shipped_moonshine)
    samples = recording("beckett")[:32_000]
    assert final(engine, samples, quality) == final(engine, samples)


def test_the_engine_says_what_serves(moonshine: Model, exact_moonshine: Model, shipped_moonshine: Model) -> None:
    versions = [MoonshineEngine(model).capabilities.model_version for model in (moonshine, exact_moonshine, shipped_moonshine)]
    assert [version.partition("-")[2] for version in versions] == ["int8", "exact", "int8-shipped"]
    assert MoonshineEngine(shipped_moonshine).provenance.reason == "a test asks for them"


def test_closing_an_engine_leaves_others_of_the_same_model_alone(moonshine: Model) -> None:
    one, other = MoonshineEngine(moonshine), MoonshineEngine(moonshine)
    one.close()
    assert final(other, recording("beckett")[:16_000]).end == 16_000


def with_hotwords(engine: MoonshineEngine, samples: Samples, *hotwords: HotWord) -> Hypothesis:
    stream = engine.create_stream(StreamOptions(hotwords=hotwords))
    stream.accept_waveform(samples)
    stream.input_finished(len(samples))
    return decode(engine, stream)


def test_a_hot_word_is_written_where_it_sounds_right_and_no_more_often(moonshine: Model) -> None:
    engine, samples = MoonshineEngine(moonshine), recording("endgame_nagg_nell")[:160_000]
    plain = final(engine, samples)
    assert plain.hotwords is None
    assert "laff" not in words(plain.text).split()
    preferred = with_hotwords(engine, samples, HotWord("laff", 2.0))
    assert words(preferred.text).split().count("laff") == preferred.hotwords == 1
    assert replace(final(engine, samples), hotwords=0) == with_hotwords(engine, samples, HotWord("xylophone"))


def test_hot_words_that_were_heard_anyway_are_counted(timing: MoonshineEngine) -> None:
    samples = recording("endgame_nagg_nell")[:160_000]
    hypothesis = with_hotwords(timing, samples, HotWord("heartily"), HotWord("RESOURCE"), HotWord("xylophone"))
    assert hypothesis.hotwords == 2


def test_the_shipped_graphs_do_without_hot_words(shipped_moonshine: Model) -> None:
    engine, samples = MoonshineEngine(shipped_moonshine), recording("beckett")[:32_000]
    assert not engine.capabilities.hotwords
    assert with_hotwords(engine, samples, HotWord("laff", 2.0)) == final(engine, samples)
