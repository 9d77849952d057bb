from __future__ import annotations

import pytest
from bench.scoring import Churn, Errors, churn, errors, folded, normalised, rate
from hypothesis import given
from hypothesis import strategies as st

texts = st.lists(st.lists(st.sampled_from("abc"), max_size=5), min_size=1, max_size=6)


def test_case_punctuation_and_the_writing_of_numbers_do_not_count() -> None:
    assert normalised("It's 10001, Colour!", "en") == normalised("it is one zero zero zero one color", "en")
    assert errors("Hello, world.", "hello word", "en") == Errors(1, 2)


def test_characters_count_where_there_are_no_blanks() -> None:
    assert errors("你好世界", "你好 世。", "zh") == Errors(1, 4)


def test_an_empty_reference_has_no_rate() -> None:
    assert errors("[laughter]", "something", "en") is None


def test_a_rate_weighs_words_and_its_interval_holds_it() -> None:
    found = rate([Errors(1, 1), Errors(0, 9)])
    assert found.percent == pytest.approx(10.0)
    assert (found.utterances, found.length) == (2, 10)
    assert found.low <= found.percent <= found.high


def partial(*revisions: str) -> Churn:
    words = [revision.split() for revision in revisions]
    return churn(words, [*map(len, words[:-1]), 0])


def test_a_word_that_was_replaced_has_changed() -> None:
    assert partial("it", "it wars", "it was the", "it was the") == Churn(shown=4, changed=1)


def test_a_word_that_vanished_has_changed() -> None:
    assert partial("a b", "a") == Churn(shown=2, changed=1)


def test_a_word_put_in_changes_none_of_those_after_it() -> None:
    assert partial("resides in the first time", "he resides in the first time") == Churn(shown=5, changed=0)


def test_a_word_that_came_back_had_changed() -> None:
    assert partial("a b", "a c", "a b", "a b") == Churn(shown=4, changed=2)


def test_only_the_judged_words_count() -> None:
    texts = [["a", "x"], ["a", "b"], ["a", "c"]]
    assert churn(texts, [1, 2, 0]) == Churn(shown=2, changed=1)


@given(texts)
def test_text_that_only_grows_never_changes(pieces: list[list[str]]) -> None:
    grown = [[word for piece in pieces[: n + 1] for word in piece] for n in range(len(pieces))]
    distinct = [[f"{word}{place}" for place, word in enumerate(words)] for words in grown]
    assert churn(distinct, [len(words) for words in distinct]) == Churn(shown=len(grown[-1]), changed=0)


@given(texts)
def test_no_more_words_change_than_were_shown(revisions: list[list[str]]) -> None:
    found = churn(revisions, [len(words) for words in revisions])
    assert found.shown >= len(revisions[-1])
    assert found.shown - found.changed >= len(revisions[-1])
    assert 0 <= found.percent <= 100


def test_folding_forgives_case_and_punctuation() -> None:
    assert folded(["It", "was,", "don't."]) == ["it", "was", "don't"]
