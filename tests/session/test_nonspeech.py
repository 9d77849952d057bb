from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starling.session.nonspeech import LONG_TEXT, Evidence, Nonspeech, loops, nonspeech


@pytest.mark.parametrize(
    ("text", "voicing", "confidence", "verdict"),
    [
        pytest.param("Eight.", 0.54, 0.75, None, id="a short word on the telephone"),
        pytest.param("Four.", 0.56, 0.51, None, id="another"),
        pytest.param("One.", 0.75, 0.32, None, id="a word that the model is not sure of"),
        pytest.param("The guard is left and sleeps by.", 0.48, 0.41, None, id="speech in a train"),
        pytest.param("Thank you.", 0.6, 0.9, None, id="a courtesy"),
        pytest.param("You", 0.8, 0.6, None, id="you, said aloud"),
        pytest.param("testing, testing, testing, testing", 0.9, 0.9, None, id="somebody at a microphone"),
        pytest.param("no " * 20, 0.9, 0.9, None, id="somebody very determined"),
        pytest.param("Anything", 0.9, None, None, id="an engine that does not say how sure it is"),
        pytest.param("You", 0.44, 0.83, Nonspeech.STOCK_PHRASE, id="a guitar"),
        pytest.param("you?", 0.67, 0.66, Nonspeech.STOCK_PHRASE, id="a band"),
        pytest.param("Thank you for watching.", 0.52, 0.56, Nonspeech.STOCK_PHRASE, id="a melody"),
        pytest.param("Thank you.", 0.45, 0.9, Nonspeech.STOCK_PHRASE, id="noise"),
        pytest.param("♪", 0.5, 0.9, Nonspeech.STOCK_PHRASE, id="note signs"),
        pytest.param("I love you.", 0.31, 0.45, Nonspeech.UNVOICED, id="chords"),
        pytest.param("Yeah", 0.4, 0.17, Nonspeech.UNLIKELY, id="a street"),
        pytest.param("Words of all kinds", 0.98, 0.15, Nonspeech.UNLIKELY, id="no idea at all"),
        pytest.param("It's time to have it. " * 9, 0.97, 0.79, Nonspeech.REPETITION, id="eight people at once"),
        pytest.param("", 0.1, None, None, id="nothing is withheld where there is nothing"),
    ],
)
def test_the_table(text: str, voicing: float, confidence: float | None, verdict: Nonspeech | None) -> None:
    assert nonspeech(Evidence(text, voicing, confidence)) is verdict


@given(st.text(max_size=400), st.floats(0, 1), st.one_of(st.none(), st.floats(0, 1)))
def test_more_voice_never_condemns(text: str, voicing: float, confidence: float | None) -> None:
    if nonspeech(Evidence(text, voicing, confidence)) is None:
        assert nonspeech(Evidence(text, min(1.0, voicing + 0.2), confidence)) is None


@given(st.text(max_size=LONG_TEXT // 4 - 1))
def test_a_short_text_is_no_loop(text: str) -> None:
    assert not loops(text)
