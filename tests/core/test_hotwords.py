from __future__ import annotations

import math

import pytest

from starling.core.config import SessionConfig
from starling.core.errors import InvalidOption
from starling.core.hotwords import MAX_BYTES, MAX_HOTWORDS, MAX_PHRASE, HotWord, hot_words


def test_a_plain_string_is_a_hot_word_of_weight_one() -> None:
    assert hot_words(["Kaldi", HotWord("Riva", 1.5)]) == (HotWord("Kaldi", 1.0), HotWord("Riva", 1.5))


def test_space_and_composition_do_not_matter() -> None:
    assert HotWord("  Cafe\N{COMBINING ACUTE ACCENT}\t del  Mar ").phrase == "Caf\N{LATIN SMALL LETTER E WITH ACUTE} del Mar"


@pytest.mark.parametrize("phrase", ["", "  ", "...", "-'-"])
def test_what_nobody_says_is_refused(phrase: str) -> None:
    with pytest.raises(InvalidOption, match="letter or digit"):
        HotWord(phrase)


@pytest.mark.parametrize("weight", [0.0, -1.0, 2.1, math.nan, math.inf])
def test_weights_out_of_range_are_refused(weight: float) -> None:
    with pytest.raises(InvalidOption, match=r"between 0\.1 and 2"):
        HotWord("Kaldi", weight)


def test_errors_and_reprs_do_not_quote_phrases() -> None:
    name = "Rumpelstiltskin"
    assert name not in repr(SessionConfig(hotwords=hot_words([name])))
    for phrase, weight in ((name * 10, 1.0), (name, 9.0), (f"{name}\0", 1.0)):
        with pytest.raises(InvalidOption) as error:
            HotWord(phrase, weight)
        assert name not in str(error.value)


def test_a_session_has_so_many_and_no_more() -> None:
    SessionConfig(hotwords=hot_words(["word"] * MAX_HOTWORDS))
    with pytest.raises(InvalidOption, match="at most 1000 hot words, got 1001"):
        SessionConfig(hotwords=(HotWord("word"),) * (MAX_HOTWORDS + 1))
    with pytest.raises(InvalidOption, match="at most 20000 bytes together"):
        SessionConfig(hotwords=(HotWord("w" * MAX_PHRASE),) * (MAX_BYTES // MAX_PHRASE + 1))
