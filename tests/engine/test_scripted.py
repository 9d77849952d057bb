from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.engine_contract import EngineContract, Subject
from recordings import recording
from starling.core.audio import Samples
from starling.core.errors import EngineFailed
from starling.core.ports import EngineStream, StreamOptions
from starling.core.transcript import Hypothesis
from starling.engine.scripted import BLOCK, ScriptedEngine, ScriptedStream, Tally, scripted_text, scripted_words


def noise(length: int, *, seed: int = 0) -> Samples:
    return np.random.default_rng(seed).normal(0, 1000, length).astype(np.int16)


class TestContract(EngineContract):
    @pytest.fixture
    def subject(self) -> Subject:
        failing: set[int] = set()

        def break_stream(stream: EngineStream) -> None:
            assert isinstance(stream, ScriptedStream)
            failing.add(stream.ordinal)

        speech = recording("two_cities")
        return Subject(
            engine=ScriptedEngine(failing=failing),
            speech=[speech[16_000:70_000], speech[80_000:120_000], speech[130_000:190_000]],
            break_stream=break_stream,
        )


@given(blocks=st.integers(0, 8), rest=st.integers(0, BLOCK - 1), seed=st.integers(0, 100))
def test_a_prefix_of_whole_blocks_has_a_prefix_of_the_words(blocks: int, rest: int, seed: int) -> None:
    samples = noise(8 * BLOCK + rest, seed=seed)
    words = list(scripted_words(samples))
    assert list(scripted_words(samples[: blocks * BLOCK])) == words[:blocks]
    assert scripted_text(samples).startswith(scripted_text(samples[: blocks * BLOCK]))


@given(first=st.integers(0, 1000), second=st.integers(0, 1000))
def test_other_samples_have_another_text(first: int, second: int) -> None:
    texts = [scripted_text(noise(8 * BLOCK, seed=seed)) for seed in (first, second)]
    assert (texts[0] == texts[1]) == (first == second)


def test_silence_has_no_words() -> None:
    speech = noise(BLOCK)
    samples = np.concatenate([np.full(2 * BLOCK, 63, np.int16), speech, np.full(BLOCK, -63, np.int16)])
    (word,) = scripted_words(samples)
    assert (word.start, word.end) == (2 * BLOCK, 3 * BLOCK)
    assert scripted_text(np.full(BLOCK, -32768, np.int16)) != ""


def test_the_engine_says_what_the_script_says() -> None:
    engine = ScriptedEngine(languages=("en", "de"))
    stream = engine.create_stream(StreamOptions(language="de-AT", words=True))
    stream.accept_waveform(noise(3 * BLOCK))
    (hypothesis,) = engine.decode_streams([stream])
    assert isinstance(hypothesis, Hypothesis)
    assert hypothesis.text == scripted_text(noise(3 * BLOCK))
    assert list(hypothesis.words) == list(scripted_words(noise(3 * BLOCK)))
    assert hypothesis.language == "de"


def test_streams_told_to_fail_do_and_the_tally_counts_them() -> None:
    engine = ScriptedEngine(failing={1})
    streams = [engine.create_stream(StreamOptions()) for _ in range(3)]
    streams[2].input_finished(0)
    outcomes = engine.decode_streams(streams) + engine.decode_streams(streams[:1])
    assert [isinstance(outcome, EngineFailed) for outcome in outcomes] == [False, True, False, False]
    engine.warm_up()
    assert engine.tally == Tally(streams=3, batches=2, decodes=4, finals=1, largest_batch=3, warm_ups=1)


def test_closing_shows() -> None:
    engine = ScriptedEngine()
    assert not engine.closed
    engine.close()
    assert engine.closed
