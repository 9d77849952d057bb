from __future__ import annotations

import pytest
from bench.calibration import Judged, calibration_error, judged, reliability

from starling.core.transcript import Transcript, Word


def final(text: str, *, confidence: float | None = None, words: tuple[Word, ...] = ()) -> Transcript:
    return Transcript(
        session_id="s",
        segment_id=0,
        revision=1,
        is_final=True,
        text=text,
        stable_text=text,
        start=0,
        end=1,
        confidence=confidence,
        words=words,
    )


def test_words_are_right_where_the_reference_agrees() -> None:
    words = (Word("The", 0, 1, 0.9), Word("cap", 1, 2, 0.4), Word("sat.", 2, 3, 0.8))
    assert list(judged([final("The cap sat.", words=words)], "the cat sat", "en")) == [
        Judged(0.9, right=True),
        Judged(0.4, right=False),
        Judged(0.8, right=True),
    ]


def test_a_word_without_confidence_has_that_of_its_segment() -> None:
    assert list(judged([final("one more", confidence=0.7), final("word", confidence=None)], "more word", "en")) == [
        Judged(0.7, right=False),
        Judged(0.7, right=True),
    ]


def test_what_is_not_compared_is_not_judged() -> None:
    assert list(judged([final("", confidence=1.0)], "something", "en")) == []
    assert list(judged([final("noise", confidence=1.0)], "[noise]", "en")) == []


def test_the_error_is_the_distance_from_the_truth_by_words() -> None:
    words = [Judged(1.0, right=True)] * 3 + [Judged(0.5, right=False)]
    bins = reliability(words)
    assert [(one.words, one.confidence, one.right) for one in bins] == [(1, 0.5, 0.0), (3, 1.0, 1.0)]
    assert calibration_error(bins) == pytest.approx(0.125)
