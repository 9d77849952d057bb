from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from starling.engine.moonshine.alignment import OFFSET, frames_of_tokens, word_spans
from starling.engine.moonshine.graphs import FRAME


def attention(tokens: int, frames: int, seed: int) -> np.typing.NDArray[np.float32]:
    rows = np.random.default_rng(seed).exponential(size=(tokens, frames)) ** 3
    return np.array(rows / rows.sum(axis=1, keepdims=True), np.float32)


@given(tokens=st.integers(1, 4), more=st.integers(0, 5), seed=st.integers(0, 200))
def test_no_other_path_has_more_attention(tokens: int, more: int, seed: int) -> None:
    frames = tokens + more
    rows = attention(tokens, frames, seed)

    def gain(bounds: tuple[int, ...]) -> float:
        return sum(
            float(np.log(rows[token, start:end] + 1e-9).sum()) for token, (start, end) in enumerate(itertools.pairwise(bounds))
        )

    best = max(gain((0, *inner, frames)) for inner in itertools.combinations(range(1, frames), tokens - 1))
    found = tuple(frames_of_tokens(rows).tolist())
    assert (found[0], found[-1]) == (0, frames)
    assert all(start < end for start, end in itertools.pairwise(found))
    assert np.isclose(gain(found), best)


@given(tokens=st.integers(1, 20), more=st.integers(0, 60), seed=st.integers(0, 200), data=st.data())
def test_words_never_overlap_and_lie_inside_of_the_audio(tokens: int, more: int, seed: int, data: st.DataObject) -> None:
    frames = tokens + more
    rest = data.draw(st.integers(511, 894))  # what the encoder's convolutions leave over
    noise = np.random.default_rng(seed)
    audio = (noise.normal(0, 1000, frames * FRAME + rest) * (noise.random(frames * FRAME + rest) < 0.3)).astype(np.int16)
    silence = data.draw(st.tuples(st.integers(0, len(audio)), st.integers(0, len(audio))))
    audio[slice(*sorted(silence))] = 0
    cuts = sorted(data.draw(st.sets(st.integers(0, tokens), min_size=2)) | {0})
    words = list(itertools.pairwise(cuts))
    spans = list(word_spans(attention(tokens, frames, seed), words, audio))
    assert len(spans) == len(words)
    for start, end in spans:
        assert 0 <= start < end <= len(audio)
    for (_, end), (start, _) in itertools.pairwise(spans):
        assert end <= start


def test_a_word_is_where_the_decoder_looked_and_something_is_heard() -> None:
    audio = np.zeros(100 * FRAME, np.int16)
    words = [(5_000, 8_000), (16_000, 20_000), (30_000, 34_000)]
    rows = np.full((3, 100), 1e-4, np.float32)
    for row, (start, end) in zip(rows, words, strict=True):
        audio[start:end] = np.random.default_rng(start).normal(0, 3000, end - start)
        row[(start - OFFSET) // FRAME : (end - OFFSET) // FRAME] = 1.0
    for found, expected in zip(word_spans(rows, [(0, 1), (1, 2), (2, 3)], audio), words, strict=True):
        assert np.allclose(found, expected, atol=FRAME)


def test_the_end_of_the_word_before_does_not_make_a_pause_part_of_the_next() -> None:
    audio = np.zeros(100 * FRAME, np.int16)
    audio[0:8_000] = audio[24_000:30_000] = 3000
    rows = np.full((2, 100), 1e-4, np.float32)
    rows[0, : 6_000 // FRAME] = 1.0  # looks away before the word is over
    rows[1, 6_000 // FRAME : 8_000 // FRAME] = 2e-4
    rows[1, 24_000 // FRAME : 30_000 // FRAME] = 1.0
    _, (start, end) = word_spans(rows, [(0, 1), (1, 2)], audio)
    assert abs(start - 24_000) <= FRAME
    assert abs(end - 30_000) <= FRAME
