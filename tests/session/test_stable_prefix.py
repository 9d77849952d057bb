from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starling.core.transcript import Word
from starling.session.stability import StablePrefix

AGE = 10
ALL = 10**9


def words(text: str) -> list[Word]:
    """``word:confidence``, or ``word`` for a sure one; each takes ten samples."""
    made = []
    for place, piece in enumerate(text.split()):
        word, _, confidence = piece.partition(":")
        made.append(Word(word, 10 * place, 10 * place + 10, float(confidence or 1)))
    return made


def captions(texts: Sequence[str], *, firm: int = ALL, step: int = AGE, likely: float = 0.5) -> list[str]:
    """What is shown of readings ``step`` samples apart, a bar behind what is stable."""
    prefix = StablePrefix(sure=0.9, settled=AGE, likely=likely)
    shown = []
    for number, text in enumerate(texts):
        said, count = prefix.update(words(text), heard=100 + step * number, firm=firm)
        told = [word.text for word in said]
        shown.append(" ".join([*told[:count], "|", *told[count:]]))
    return shown


@pytest.mark.parametrize(
    ("texts", "shown"),
    [
        pytest.param(["it was"], ["| it was"], id="one reading"),
        pytest.param(["it", "it was", "it was the"], ["| it", "it | was", "it was | the"], id="growing"),
        pytest.param(["it:.8 was", "it was", "it was"], ["| it was", "| it was", "it was |"], id="once it is sure"),
        pytest.param(["it was:.8 the", "it was:.8 the"], ["| it was the", "it | was the"], id="the doubtful hold up the sure"),
        pytest.param(["it", "it:.8", "it", "it"], ["| it", "| it", "| it", "it |"], id="doubt starts it afresh"),
        pytest.param(["it saw", "it was", "it was"], ["| it saw", "it | was", "it was |"], id="another word starts it afresh"),
        pytest.param(["It was.", "it WAS, no", "it Was"], ["| It was", "it WAS, | no", "it WAS, |"], id="in another guise"),
        pytest.param(["it was.", "it was.", "it was. The"], ["| it was", "it was |", "it was | The"], id="it is no sentence yet"),
        pytest.param(["it was, the:.3"], ["| it was"], id="nor where the last words are not shown"),
        pytest.param(["it was a", "it was a", "he has a dog"], ["| it was a", "it was a |", "it was a | dog"], id="contradicted"),
        pytest.param(["it was a", "it was a", "is"], ["| it was a", "it was a |", "it was a |"], id="taken back"),
        pytest.param(["it was:.4", "it was:.4 a:.3"], ["| it", "it |"], id="the last words are not likely"),
        pytest.param(["it:.1 was:.1"], ["| it"], id="the first word is always shown"),
        pytest.param(["it was:.1 the"], ["| it was the"], id="a likely word shows the one before it"),
        pytest.param(["it ,"], ["| it"], id="no word at all"),
        pytest.param(["", "", "it"], ["|", "|", "| it"], id="silence"),
    ],
)
def test_what_is_shown_and_what_is_stable(texts: list[str], shown: list[str]) -> None:
    assert captions(texts) == shown


def test_it_is_time_that_counts_not_the_number_of_readings() -> None:
    assert captions(["it was"] * 4, step=AGE // 2) == ["| it was", "| it was", "it was |", "it was |"]


def test_what_may_become_the_next_utterances_is_not_stable() -> None:
    assert captions(["it was the"] * 2, firm=20) == ["| it was the", "it was | the"]


def test_a_word_of_unknown_confidence_is_shown_and_never_stable() -> None:
    prefix = StablePrefix(settled=0)
    told = [Word("it", 0, 10), Word("was", 10, 20)]
    assert prefix.update(told, heard=30, firm=ALL) == (told, 0)


readings = st.lists(
    st.lists(st.tuples(st.sampled_from(["a", "A", "b", "ab."]), st.sampled_from([0.2, 0.6, 1.0])), max_size=6), max_size=12
)


@given(readings, st.integers(0, 3 * AGE), st.integers(0, 60))
def test_what_is_stable_stays(made: list[list[tuple[str, float]]], settled: int, firm: int) -> None:
    prefix = StablePrefix(sure=0.9, settled=settled)
    before: list[str] = []
    for number, reading in enumerate(made):
        told = [Word(text, 10 * place, 10 * place + 10, sure) for place, (text, sure) in enumerate(reading)]
        shown, count = prefix.update(told, heard=10 * number, firm=firm)
        stable = [word.text for word in shown[:count]]
        assert stable[: len(before)] == before
        assert all(word.end <= firm for word in shown[:count])
        assert all(one.end <= other.start for one, other in itertools.pairwise(shown))
        before = stable
