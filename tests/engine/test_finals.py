from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from recordings import recording
from starling.core.config import Quality
from starling.engine.moonshine import Model, finals
from starling.engine.moonshine.beam import search_together
from starling.engine.moonshine.finals import SLOWER, Utterance, decode_finals, slowed
from starling.engine.moonshine.graphs import Encoding
from starling.engine.moonshine.rebuilt import RebuiltGraphs


@pytest.mark.parametrize("length", [3_200, 16_001, 48_000])
def test_slowed_sound_is_lower_and_as_loud(length: int) -> None:
    time = np.arange(length) / 16_000
    slow = slowed(np.sin(2 * np.pi * 440 * time).astype(np.float32))
    assert len(slow) == round(length * SLOWER)
    assert slow.dtype == np.dtype(np.float32)
    inner = slice(length // 4, length // 2)
    expected = np.sin(2 * np.pi * 440 / SLOWER * np.arange(len(slow)) / 16_000)
    assert slow[inner] == pytest.approx(expected[inner], abs=0.02)


class Listening:
    """Graphs that note the lengths of what they hear."""

    def __init__(self, graphs: RebuiltGraphs) -> None:
        self.heard: list[int] = []
        self._hear = graphs.hear

    def __call__(self, audio: NDArray[np.float32]) -> Encoding:
        self.heard.append(len(audio))
        return self._hear(audio)


@pytest.mark.model
@pytest.mark.parametrize(
    ("quality", "unsure", "lengths"),
    [
        (Quality.FAST, 0.0, [40_000]),
        (Quality.BALANCED, -9.0, [40_000]),
        (Quality.BALANCED, 0.0, [40_000, 44_000]),
        (Quality.BEST, -9.0, [40_000, 48_448]),
        (Quality.BEST, 0.0, [40_000, 48_448, 44_000, 52_448]),
    ],
)
def test_what_is_unsure_is_heard_again_slowed(
    moonshine: Model, monkeypatch: pytest.MonkeyPatch, quality: Quality, unsure: float, lengths: list[int]
) -> None:
    assert isinstance(moonshine.graphs, RebuiltGraphs)
    listening = Listening(moonshine.graphs)
    monkeypatch.setattr(moonshine.graphs, "hear", listening)
    monkeypatch.setattr(finals, "UNSURE", unsure)
    decode_finals(moonshine.graphs, [Utterance(recording("beckett")[:40_000], quality)])
    assert listening.heard == lengths


@pytest.mark.model
def test_a_second_look_that_is_worth_more_counts_and_looks_at_the_same_frames(
    moonshine: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio = recording("beckett")[:40_000]
    (first,) = decode_finals(moonshine.graphs, [Utterance(audio, Quality.BALANCED, attention=True)])
    monkeypatch.setattr(finals, "UNSURE", 0.0)
    answers = iter([replace(first, worth=-2.0), replace(first, worth=-1.0)])

    def instead(*arguments: object, **options: object) -> object:
        (found,) = search_together(*arguments, **options)  # type: ignore[arg-type]
        return [replace(found, worth=next(answers).worth)]

    monkeypatch.setattr("starling.engine.moonshine.finals.search_together", instead)
    (again,) = decode_finals(moonshine.graphs, [Utterance(audio, Quality.BALANCED, attention=True)])
    assert again.worth == -1.0
    assert first.attention is not None
    assert again.attention is not None
    assert again.attention.shape[1] == first.attention.shape[1]


PIECES = [recording("two_cities")[start:end] for start, end in ((16_000, 60_000), (80_000, 112_000), (0, 9_000), (0, 100_000))]
PIECES += [recording("beckett")[:32_000], recording("beckett")[:2_000]]


@pytest.mark.model
@pytest.mark.parametrize("quality", [Quality.FAST, Quality.BALANCED])
@pytest.mark.parametrize("most_rows", [8, 32])
def test_finals_are_to_the_bit_what_they_are_alone(
    moonshine: Model, monkeypatch: pytest.MonkeyPatch, quality: Quality, most_rows: int
) -> None:
    monkeypatch.setattr(finals, "MOST_ROWS", most_rows)
    asked = [Utterance(audio, quality, attention=True) for audio in PIECES]
    alone = [decode_finals(moonshine.graphs, [one])[0] for one in asked]
    for together in (range(6), (5, 3, 1), (4, 2, 0, 1)):
        found = decode_finals(moonshine.graphs, [asked[place] for place in together])
        for place, decoded in zip(together, found, strict=True):
            expected = alone[place]
            assert decoded == expected
            if expected.attention is not None:
                assert decoded.attention is not None
                assert np.array_equal(decoded.attention, expected.attention)


@pytest.mark.model
def test_finals_of_different_qualities_may_be_asked_for_at_once(moonshine: Model) -> None:
    asked = [Utterance(PIECES[0], quality) for quality in Quality]
    assert decode_finals(moonshine.graphs, asked) == [decode_finals(moonshine.graphs, [one])[0] for one in asked]
