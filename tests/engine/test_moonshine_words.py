from __future__ import annotations

import numpy as np
import pytest

from starling.core.audio import samples
from starling.engine.moonshine.decoding import Alternatives, Decoded
from starling.engine.moonshine.tokens import Vocabulary
from starling.engine.moonshine.words import words_of

PIECES = ["<s>", "<unk>", "</s>", "▁it", "▁It", "▁was", ",", "▁IT", "it", "."]
VOCABULARY = Vocabulary([piece.encode() for piece in PIECES])
AUDIO = np.full(samples(0.24), 1000, np.int16)


def decoded(tokens: str, places: list[dict[str, float]]) -> Decoded:
    """``places``: the probabilities of the best pieces at each place, the chosen one first."""
    alternatives = Alternatives(
        np.array([[PIECES.index(piece) for piece in place] for place in places]),
        np.log(np.array([list(place.values()) for place in places], np.float32)),
    )
    chosen = tuple(PIECES.index(piece) for piece in tokens.split())
    attention = np.full((len(chosen), 10), 0.01, np.float32)
    for place in range(len(chosen)):
        attention[place, 10 * place // len(chosen)] = 1
    return Decoded(chosen, tuple(alternatives.log_probabilities[: len(chosen), 0].tolist()), attention, alternatives)


@pytest.mark.parametrize(
    ("place", "sure"),
    [
        pytest.param({"▁it": 0.6, "▁was": 0.4}, 0.6, id="as it is"),
        pytest.param({"▁it": 0.6, "▁It": 0.2, "▁IT": 0.1}, 0.9, id="in any case"),
        pytest.param({"▁it": 0.4, ",": 0.4, ".": 0.1}, 0.8, id="whatever punctuation may come first"),
        pytest.param({"▁it": 0.6, "it": 0.4, "</s>": 0.0001}, 0.6, id="another piece, or the end, is another text"),
        pytest.param({"▁it": 1.0, "▁It": 1.0, ",": 1.0}, 1.0, id="never surer than sure"),
    ],
)
def test_a_word_is_as_sure_as_it_is_in_any_guise(place: dict[str, float], sure: float) -> None:
    (word,) = words_of(VOCABULARY, decoded("▁it", [place]), AUDIO)
    assert word.text == "it"
    assert word.confidence == pytest.approx(sure, abs=1e-3)


def test_punctuation_takes_nothing_from_a_word() -> None:
    told = decoded("▁it , ▁was", [{"▁it": 0.9, "▁was": 0.1}, {",": 0.2, ".": 0.1}, {"▁was": 0.8, "▁it": 0.1}])
    words = words_of(VOCABULARY, told, AUDIO)
    assert [word.text for word in words] == ["it,", "was"]
    assert [word.confidence for word in words] == pytest.approx([0.9, 0.8], abs=1e-3)


def test_without_attention_there_are_no_words() -> None:
    assert words_of(VOCABULARY, Decoded((3,), (-0.1,)), AUDIO) == ()
