from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashed_beam import HashedBeam
from starling.core.hotwords import HotWord, hot_words
from starling.engine.moonshine.beam import search
from starling.engine.moonshine.hotwords import BONUS, ROOT, HotWordCache, HotWords, spellings
from starling.engine.moonshine.tokens import Vocabulary

SPACE = "\N{LOWER ONE EIGHTH BLOCK}"
MERGED = [SPACE, f"{SPACE}a", f"{SPACE}b", "an", "ban", "ana", f"{SPACE}ban", "'s"]
VOCABULARY = Vocabulary(
    [b"<unk>", b"<s>", b"</s>", *(bytes([byte]) for byte in range(256)), *(piece.encode() for piece in MERGED)]
)


def total(hotwords: HotWords, text: str) -> float:
    """What a whole text gains."""
    state, gained = ROOT, 0.0
    for token in VOCABULARY.encode(text):
        added, state = hotwords.step(state, token)
        gained += added
        assert gained >= -1e-9, "nothing is taken back that was not given"
    return gained + hotwords.finish(state)


def gain(phrase: str, weight: float = 1.0) -> float:
    return BONUS * weight * len(VOCABULARY.encode(phrase))


def automaton(*phrases: str) -> HotWords:
    return HotWords(hot_words(phrases), VOCABULARY)


@pytest.mark.parametrize(
    ("phrases", "text", "said"),
    [
        (["banana"], "banana", ["banana"]),
        (["banana"], "a banana, a", ["banana"]),
        (["banana"], "bananas", ["bananas"]),
        (["banana"], "banana's", ["banana"]),
        (["banana"], "banan", []),
        (["banana"], "bananad", []),
        (["banana"], "abanana", []),
        (["ban"], "banana", []),
        (["ban", "banana"], "banana", ["banana"]),
        (["a ban"], "a ban", ["a ban"]),
        (["a ban"], "a a ban", ["a ban"]),
        (["a ban"], "a a banc", []),
        (["a", "a ban can"], "a ban can", ["a ban can"]),
        (["a", "a ban can"], "a ban dan", ["a"]),
        (["a ban can", "ban"], "a ban dan", ["ban"]),
        (["a ban can", "ban dan"], "a ban dan", ["ban dan"]),
        (["a ban can", "ban dan"], "a ban danc", []),
        (["ban", "ban dan can", "dan can"], "ban dan can", ["ban dan can"]),
        (["ban", "ban dan cab", "dan can"], "ban dan can", ["ban", "dan can"]),
        (["banana"], "banana, and a banana", ["banana", "banana"]),
        (["banana"], "banana banana", ["banana"]),
        (["banana"], "banana, banana, bananas! banana", ["banana"]),
        (["a ban"], "a ban, a ban", ["a ban"]),
        (["banana", "den"], "banana den banana", ["banana", "den", "banana"]),
    ],
)
def test_a_text_gains_what_the_phrases_in_it_are_worth(phrases: Sequence[str], text: str, said: Sequence[str]) -> None:
    assert total(automaton(*phrases), text) == pytest.approx(sum(map(gain, said)))


WORDS = st.text("abns", min_size=1, max_size=4)
PHRASES = st.lists(WORDS, min_size=1, max_size=3).map(" ".join)


@given(phrases=st.lists(PHRASES, max_size=5), text=st.lists(WORDS, max_size=8).map(" ".join))
def test_gains_are_those_of_phrases_that_are_there(phrases: list[str], text: str) -> None:
    hotwords = automaton(*phrases)
    gained, count = total(hotwords, text), hotwords.count(VOCABULARY.encode(text))
    words = text.split()
    forms = {form for phrase in phrases for form in spellings(phrase)}
    present = {
        " ".join(words[start:end])
        for start in range(len(words))
        for end in range(start + 1, len(words) + 1)
        if " ".join(words[start:end]) in forms
    }
    assert (gained > 0) == (count > 0) == bool(present)
    assert count <= len(present)
    assert gained <= BONUS * len(VOCABULARY.encode(text)) + 1e-9


@given(weights=st.tuples(st.floats(0.1, 2), st.floats(0.1, 2)))
def test_of_two_weights_the_greater_counts(weights: tuple[float, float]) -> None:
    hotwords = HotWords([HotWord("banana", weight) for weight in weights], VOCABULARY)
    assert total(hotwords, "banana") == pytest.approx(gain("banana", max(weights)))


def test_phrases_count_in_any_case() -> None:
    assert {"kaldi toolkit", "Kaldi Toolkit", "KALDI TOOLKIT", "kaldi toolkits"} <= spellings("kaldi toolkit")
    assert {"NASA", "nasa", "Nasa"} <= spellings("NASA")
    assert {"McGee", "mcgee", "MCGEE", "McGees"} <= spellings("McGee")
    assert "basss" not in spellings("bass")


def test_each_phrase_counts_once() -> None:
    tokens = VOCABULARY.encode("a banana, a ban and a banana")
    assert automaton("banana", "ban", "den").count(tokens) == 2


def test_lists_are_kept_as_long_as_there_is_room() -> None:
    one, other = hot_words(["banana"]), hot_words(["ban dan"])
    cache = HotWordCache(VOCABULARY, room=len(automaton("banana")) + len(automaton("ban dan")))
    first = cache.get(one)
    assert cache.get(other) is cache.get(hot_words(["ban dan"]))
    assert cache.get(one) is first
    cache.get(hot_words(["can"]))
    assert cache.get(one) is first, "the list that was not used for longest goes first"
    cache.get(hot_words(["abcdn " * 12]))
    assert cache.get(one) is not first


class Preferring:
    """Gives ``gain`` to a token that follows another."""

    def __init__(self, pair: tuple[int, int], gain: float) -> None:
        self.pair = pair
        self.gain = gain

    def step(self, state: int, token: int) -> tuple[float, int]:
        return (self.gain if (state, token) == self.pair else 0.0), token + 1

    def finish(self, state: int) -> float:
        return 0.0


@given(seed=st.integers(0, 300), width=st.integers(1, 4))
def test_no_preference_changes_nothing(seed: int, width: int) -> None:
    plain = search(HashedBeam(seed), width=width, limit=6)
    assert search(HashedBeam(seed), width=width, limit=6, bias=Preferring((0, 3), 0.0)) == plain


@given(seed=st.integers(0, 300))
def test_a_strong_preference_is_found_and_leaves_log_probabilities_alone(seed: int) -> None:
    reader = HashedBeam(seed)
    found = search(reader, width=4, limit=6, bias=Preferring((0, 3), 50.0))
    assert found.tokens[:1] == (3,)
    assert found.log_probabilities[0] == reader.log_probabilities([1])[3]
