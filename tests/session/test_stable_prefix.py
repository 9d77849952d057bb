from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starling.session.stability import StablePrefix

words = st.lists(st.sampled_from(["a", "b", "ab", ""]), max_size=6).map(" ".join)


@pytest.mark.parametrize(
    ("texts", "stable"),
    [
        pytest.param(["it was"], [""], id="one opinion"),
        pytest.param(["it was", "it was the best", "it was the best of"], ["", "it was", "it was the best"], id="growing"),
        pytest.param(["it was the", "it was a", "it was a time"], ["", "it was", "it was a"], id="changing its mind"),
        pytest.param(["it was a", "it was a", "it was"], ["", "it was", "it was"], id="shrinking"),
        pytest.param(["it was a", "it was a", "that was a"], ["", "it was", ""], id="contradicting what was stable"),
        pytest.param(["", "", "it"], ["", "", ""], id="silence"),
        pytest.param(["it", "it"], ["", ""], id="the last word is never sure"),
    ],
)
def test_agreement_of_two(texts: list[str], stable: list[str]) -> None:
    prefix = StablePrefix(agreement=2, hold_back=1)
    assert [prefix.update(text) for text in texts] == stable


def test_case_and_punctuation_do_not_count() -> None:
    prefix = StablePrefix(agreement=2, hold_back=1)
    assert prefix.update("It was. it") == ""
    assert prefix.update("it was, It was") == "it was, It"


def test_agreement_of_three_waits_for_three() -> None:
    prefix = StablePrefix(agreement=3, hold_back=0)
    assert [prefix.update(text) for text in ["a b", "a b", "a b", "a c", "a c", "a c"]] == ["", "", "a b", "a", "a", "a c"]


@given(st.lists(words), st.integers(1, 3), st.integers(0, 2))
def test_it_is_always_a_prefix_on_a_word_boundary(texts: list[str], agreement: int, hold_back: int) -> None:
    prefix = StablePrefix(agreement, hold_back)
    for text in texts:
        stable = prefix.update(text)
        assert text == stable or not stable or text.startswith(stable + " ")


@given(st.lists(words, min_size=2))
def test_it_shrinks_only_when_contradicted(texts: list[str]) -> None:
    prefix = StablePrefix()
    before = prefix.update(texts[0])
    for text in texts[1:]:
        after = prefix.update(text)
        if not after.startswith(before):
            assert text != before
            assert not text.startswith(before + " ")
        before = after
