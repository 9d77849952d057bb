"""Word error rate against jiwer, and its laws."""

from __future__ import annotations

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starling.client.word_errors import edit_distance, word_error_rate, words

WORDS = st.lists(st.sampled_from(["it", "was", "the", "age", "of", "wisdom"]), max_size=12)


def test_case_punctuation_and_dashes_do_not_count() -> None:
    assert words("It was -- the BEST of times,\nI'm sure; \u2018twas \u2019so\u2019.") == [
        *["it", "was", "the", "best", "of", "times", "i'm", "sure", "twas", "so"],
    ]


def test_a_perfect_transcript_has_no_errors() -> None:
    assert word_error_rate("It was the age of wisdom.", "it was the age of wisdom") == 0


@pytest.mark.parametrize(
    ("hypothesis", "rate"),
    [("", 1.0), ("one two", 0.5), ("one too three four", 0.25), ("one two three four five", 0.25), ("a b c d e f g h", 2.0)],
)
def test_each_kind_of_error_costs_one_word(hypothesis: str, rate: float) -> None:
    assert word_error_rate("one two three four", hypothesis) == rate


def test_a_reference_without_words_is_refused() -> None:
    with pytest.raises(ValueError, match="no words"):
        word_error_rate("...", "something")


@given(WORDS.filter(bool), WORDS)
def test_it_agrees_with_jiwer(reference: list[str], hypothesis: list[str]) -> None:
    ours = word_error_rate(" ".join(reference), " ".join(hypothesis))
    assert ours == pytest.approx(jiwer.wer(" ".join(reference), " ".join(hypothesis)))


@given(WORDS, WORDS, WORDS)
def test_edit_distance_is_a_metric(a: list[str], b: list[str], c: list[str]) -> None:
    assert (edit_distance(a, b) == 0) == (a == b)
    assert edit_distance(a, b) == edit_distance(b, a)
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)
