from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from scripted_session import CONFIG
from starling.core.errors import EngineFailed, IllegalTransition
from starling.core.transcript import Hypothesis, Word
from starling.session.nonspeech import Nonspeech
from starling.session.segment import TRANSITIONS, Segment, SegmentEvent, SegmentState

HYPOTHESIS = Hypothesis(text="it was", end=3000, confidence=0.7, words=(Word("it", 100, 900, 0.9), Word("was", 1000, 2900)))

TELL: dict[SegmentEvent, Callable[[Segment], object]] = {
    SegmentEvent.PARTIAL: lambda segment: segment.partial(HYPOTHESIS),
    SegmentEvent.ENDPOINT: lambda segment: segment.endpoint(9000),
    SegmentEvent.FINAL: lambda segment: segment.final(HYPOTHESIS),
}


def a_segment(state: SegmentState = SegmentState.OPEN, *, words: bool = True, partial_words: bool = True) -> Segment:
    config = CONFIG.updated(language="en-GB", words=words, partial_words=partial_words)
    segment = Segment("s", 7, onset=5800, audio_start=1000, config=config, first=0.25)
    if state is not SegmentState.OPEN:
        segment.endpoint(8000)
    if state is SegmentState.SETTLED:
        segment.final(HYPOTHESIS)
    return segment


@pytest.mark.parametrize("event", SegmentEvent)
@pytest.mark.parametrize("state", SegmentState)
def test_the_table_is_the_truth(state: SegmentState, event: SegmentEvent) -> None:
    segment = a_segment(state)
    before = {name: getattr(segment, name) for name in Segment.__slots__ if name != "_stable"}
    if (state, event) in TRANSITIONS:
        TELL[event](segment)
        assert segment.state is TRANSITIONS[state, event]
    else:
        with pytest.raises(IllegalTransition, match=f"segment 7 is {state.name}, which has no {event.name}"):
            TELL[event](segment)
        assert {name: getattr(segment, name) for name in before} == before


def test_every_state_can_be_reached_and_only_settled_is_final() -> None:
    assert {SegmentState.OPEN, *TRANSITIONS.values()} == set(SegmentState)
    assert {state for state, _ in TRANSITIONS} == set(SegmentState) - {SegmentState.SETTLED}


def test_positions_become_those_of_the_session() -> None:
    segment = a_segment()
    partial = segment.partial(HYPOTHESIS)
    assert partial is not None
    assert (partial.start, partial.end) == (5800, 4000)
    assert partial.words == (Word("it", 1100, 1900, 0.9), Word("was", 2000, 3900))
    segment.endpoint(8000)
    final = segment.final(HYPOTHESIS)
    assert (final.start, final.end, final.words) == (5800, 8000, partial.words)


@pytest.mark.parametrize(("words", "partial_words"), [(True, False), (False, True), (False, False)])
def test_partials_have_words_only_when_they_were_asked_for(*, words: bool, partial_words: bool) -> None:
    partial = a_segment(words=words, partial_words=partial_words).partial(HYPOTHESIS)
    assert partial is not None
    assert (partial.text, partial.words) == ("it was", ())


def test_a_partial_without_word_times_has_nothing_stable() -> None:
    segment = a_segment()
    for end in range(20_000, 60_000, 10_000):
        partial = segment.partial(Hypothesis(text=f"it was {end}", end=end))
        assert partial is not None
        assert (partial.text, partial.stable_text) == (f"it was {end}", "")


def test_what_was_sure_for_long_is_stable_up_to_where_the_segment_may_be_cut() -> None:
    segment = a_segment()
    told = [segment.partial(replace(HYPOTHESIS, text=text, end=end, words=(
        Word("it", 100, 900, 0.95), Word("was", 1000, 1900, 0.95), Word(text.split()[2], 2000, 2900, 0.95)
    )), firm=3000) for text, end in (("it was the", 3000), ("it was the,", 20_000))]  # fmt: skip
    assert [partial and partial.stable_text for partial in told] == ["", "it was"]


def test_a_partial_that_says_nothing_new_is_no_revision() -> None:
    segment = a_segment()
    said = [segment.partial(Hypothesis(text=text, end=end)) for end, text in enumerate(["", "a", "a", "a b", "a b", "a b"])]
    told = [partial for partial in said if partial is not None]
    assert said[0] is None
    assert [partial.revision for partial in told] == list(range(1, len(told) + 1))
    assert told[0].text == "a"
    assert len({(partial.text, partial.stable_text) for partial in told}) == len(told) < len(said)


def test_a_partial_ends_no_sentence() -> None:
    segment = a_segment()
    told = [segment.partial(Hypothesis(text=text, end=9)) for text in ("it was the best.", "it was the best, no?")]
    assert [partial.text for partial in told if partial is not None] == ["it was the best", "it was the best, no?"]


def test_a_final_is_stable_as_a_whole_and_the_last_revision() -> None:
    segment = a_segment()
    segment.partial(HYPOTHESIS)
    segment.endpoint(8000)
    final = segment.final(HYPOTHESIS)
    assert (final.revision, final.is_final, final.text, final.stable_text) == (2, True, "it was", "it was")


def test_a_failed_decode_takes_the_partial_away() -> None:
    segment = a_segment()
    segment.partial(HYPOTHESIS)
    segment.endpoint(8000)
    final = segment.final(EngineFailed("broken"))
    assert (final.revision, final.text, final.stable_text, final.words) == (2, "", "", ())
    assert (final.start, final.end) == (5800, 8000)


@pytest.mark.parametrize(("heard", "said"), [(None, "en-GB"), ("fr", "fr")])
def test_the_language_is_the_engines_or_else_the_sessions(heard: str | None, said: str) -> None:
    transcript = a_segment().partial(Hypothesis(text="a", end=1, language=heard))
    assert transcript is not None
    assert transcript.language == said


def test_what_nobody_can_have_said_is_shown_to_nobody() -> None:
    segment = a_segment()
    shown = segment.partial(HYPOTHESIS, voicing=0.9)
    assert shown is not None
    assert segment.partial(Hypothesis(text="it was you", end=4000), voicing=0.2) is None
    segment.endpoint(8000, voicing=0.2)
    final = segment.final(HYPOTHESIS)
    assert (final.text, final.stable_text, final.words, final.confidence) == ("", "", (), None)
    assert (final.revision, final.end) == (shown.revision + 1, 8000)
    assert segment.withheld is Nonspeech.UNVOICED


def test_the_guard_can_be_off() -> None:
    segment = Segment("s", 0, onset=0, audio_start=0, config=CONFIG, first=0.25, guarded=False)
    segment.endpoint(8000, voicing=0.0)
    assert segment.final(HYPOTHESIS).text == HYPOTHESIS.text
    assert segment.withheld is None
