from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starling.core.audio import FRAME, samples, seconds
from starling.core.errors import InvalidOption
from starling.session.endpointing import COUNTED_PAUSE, Decision, Endpoint, Endpointer, Idle, Onset, Pause, finished
from starling.session.options import SegmentationOptions

OPTIONS = SegmentationOptions(
    onset_threshold=0.5,
    offset_threshold=0.3,
    min_speech=seconds(3 * FRAME),
    pre_roll=seconds(4 * FRAME),
    tail=seconds(2 * FRAME),
    max_segment=seconds(20 * FRAME),
    min_segment=seconds(10 * FRAME),
    idle_checkpoint=seconds(12 * FRAME),
)
SILENCE = 5  # frames that end a segment


def decisions(probabilities: Sequence[float], start: int = 0) -> list[tuple[int, Decision]]:
    """What is decided, and after how many frames; all in frames. Listening stops where the endpointer is spent."""
    ear = Endpointer(start * FRAME, SILENCE * FRAME, OPTIONS)
    made: list[tuple[int, Decision]] = []
    for count, probability in enumerate(probabilities, 1):
        match ear.hear(probability):
            case Onset(at):
                made.append((count, Onset(at // FRAME)))
            case Endpoint(speech_end, restart):
                made.append((count, Endpoint(speech_end // FRAME, restart // FRAME)))
                break
            case Idle(restart):
                made.append((count, Idle(restart // FRAME)))
                break
    return made


def frames(pattern: str) -> list[float]:
    """``#``: speech. ``+``: between the thresholds. ``.``: silence."""
    return [{"#": 0.9, "+": 0.4, ".": 0.1}[mark] for mark in pattern]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param("", [], id="nothing"),
        pytest.param("..##", [], id="speech that is too short so far"),
        pytest.param("..###", [(5, Onset(2))], id="speech counts from its first frame"),
        pytest.param("##.##.##.", [], id="no three frames in a row"),
        pytest.param("+++++", [], id="between the thresholds nothing begins"),
        pytest.param("..#++", [(5, Onset(2))], id="between the thresholds it goes on"),
        pytest.param("..#+.#++", [(8, Onset(5))], id="a false start is forgotten"),
        pytest.param("###.....", [(3, Onset(0)), (8, Endpoint(3, 5))], id="silence ends it; on from behind the tail"),
        pytest.param("###....#.....", [(3, Onset(0)), (13, Endpoint(8, 10))], id="a pause that is too short"),
        pytest.param("###....+.....", [(3, Onset(0)), (13, Endpoint(8, 10))], id="between the thresholds it is still speech"),
        pytest.param("............", [(12, Idle(8))], id="long silence is forgotten but for the pre-roll"),
        pytest.param("...........##.", [(14, Idle(10))], id="not while speech may be beginning"),
        pytest.param("...........###", [(14, Onset(11))], id="nor once it has begun"),
        pytest.param("########.###########", [(3, Onset(0)), (20, Endpoint(19, 19))], id="no pause within reach"),
        pytest.param("############.#######", [(3, Onset(0)), (20, Endpoint(14, 14))], id="cut around the pause"),
        pytest.param(
            "###########....####+", [(3, Onset(0)), (20, Endpoint(11, 14))], id="cut in the pause; speech ended before it"
        ),
    ],
)
def test_decisions(pattern: str, expected: list[tuple[int, Decision]]) -> None:
    assert decisions(frames(pattern)) == expected


@pytest.mark.parametrize("start", [0, 7])
def test_positions_count_from_where_it_began(start: int) -> None:
    assert decisions(frames("..###....."), start) == [(5, Onset(start + 2)), (10, Endpoint(start + 5, start + 7))]


def test_a_cut_is_where_speech_is_least_likely() -> None:
    voice = [0.9] * 20
    voice[14:17] = [0.6, 0.4, 0.6]
    voice[11] = 0.35
    assert decisions(voice) == [(3, Onset(0)), (20, Endpoint(16, 16))]


def test_a_cut_never_makes_a_segment_shorter_than_its_least() -> None:
    for quiet in range(1, 20):
        voice = [0.9] * 20
        voice[quiet] = 0.31
        cut = decisions(voice)[-1][1]
        assert isinstance(cut, Endpoint)
        assert 10 <= cut.restart <= 20
        assert cut.speech_end == cut.restart


def test_what_it_knows_so_far() -> None:
    ear = Endpointer(0, SILENCE * FRAME, OPTIONS)

    def state(probabilities: Iterable[float]) -> tuple[bool, int | None, int]:
        for probability in probabilities:
            ear.hear(probability)
        return ear.speaking, ear.candidate, ear.voiced_end

    assert state([]) == (False, None, 0)
    assert state(frames(".#")) == (False, FRAME, 2 * FRAME)
    assert state(frames("##")) == (True, None, 4 * FRAME)
    assert state(frames(".")) == (True, None, 4 * FRAME)
    assert ear.position == 5 * FRAME


@pytest.mark.parametrize("silence", range(1, 12))
def test_listening_goes_on_within_what_was_heard_and_behind_the_speech(silence: int) -> None:
    ear = Endpointer(0, silence * FRAME, OPTIONS)
    for probability in frames("###" + "." * silence):
        decision = ear.hear(probability)
    assert isinstance(decision, Endpoint)
    assert decision.speech_end == 3 * FRAME
    assert decision.speech_end < decision.restart <= ear.position
    assert ear.position - decision.restart <= samples(OPTIONS.pre_roll)


def test_a_cut_in_a_silence_as_long_as_the_segment_ends_where_the_onset_was_sure() -> None:
    ear = Endpointer(0, 100 * FRAME, OPTIONS)
    decision = [ear.hear(probability) for probability in frames("###" + "." * 17)][-1]
    assert decision == Endpoint(3 * FRAME, 19 * FRAME)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"onset_threshold": 0.2}, "offset_threshold"),
        ({"offset_threshold": 0.0}, "offset_threshold"),
        ({"min_segment": 18.0}, "place to cut"),
        ({"min_segment": 0.0}, "min_segment"),
        ({"idle_checkpoint": 0.3}, "idle_checkpoint"),
    ],
)
def test_options_that_contradict_each_other_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidOption, match=said):
        SegmentationOptions(**change)


def voicing(probabilities: Sequence[float]) -> float:
    ear = Endpointer(0, 100 * FRAME, OPTIONS)
    for probability in probabilities:
        ear.hear(probability)
    return ear.voicing


def test_voicing_is_the_mean_over_the_speech() -> None:
    assert voicing([0.9, 0.8, 0.1, 0.6, 0.7, 0.5]) == pytest.approx(np.mean([0.6, 0.7, 0.5])), "the false start does not count"
    assert voicing([0.1, 0.6, 0.7, 0.8, 0.2, 0.9]) == pytest.approx(np.mean([0.6, 0.7, 0.8, 0.2, 0.9]))
    assert voicing([0.6, 0.7, 0.8, 0.1, 0.1, 0.1]) == pytest.approx(0.7), "nor does what follows it"


def test_a_long_pause_is_no_sign_of_noise() -> None:
    said, pause = [0.9] * 10, [0.0] * 14
    assert voicing([*said, *pause, *said]) == pytest.approx(
        np.mean([*said, *pause[: COUNTED_PAUSE // FRAME + 1], *said]), abs=0.02
    )
    assert voicing([*said, *pause, *said]) == pytest.approx(voicing([*said, *pause, *pause, *said]))


@given(st.lists(st.floats(0, 1), min_size=40, max_size=40), st.integers(1, 6))
def test_no_cut_is_before_what_was_firm(probabilities: list[float], least: int) -> None:
    options = replace(OPTIONS, min_segment=seconds(least * FRAME))
    ear = Endpointer(0, 50 * FRAME, options)
    firm = 0
    for probability in [0.9] * 3 + probabilities:
        decision = ear.hear(probability)
        if isinstance(decision, Endpoint):
            assert decision.restart >= firm
            return
        if ear.speaking:
            assert ear.firm >= firm
            firm = ear.firm


def test_before_a_segment_may_be_cut_all_of_it_is_firm() -> None:
    ear = Endpointer(0, SILENCE * FRAME, OPTIONS)
    for probability in frames("#########"):
        ear.hear(probability)
    assert ear.firm >= ear.position


def test_each_pause_that_is_long_enough_asks_once_whether_it_is_the_end() -> None:
    ear = Endpointer(0, SILENCE * FRAME, OPTIONS, 3 * FRAME)
    said = [ear.hear(probability) for probability in frames("###...#....")]
    assert [(place, one) for place, one in enumerate(said) if isinstance(one, Pause)] == [
        (5, Pause(3 * FRAME)),
        (9, Pause(7 * FRAME)),
    ]
    assert ear.end() == Endpoint(7 * FRAME, 9 * FRAME)
    assert isinstance(ear.hear(0.0), Endpoint)


def test_a_pause_is_not_judged_before_the_tail_is_there() -> None:
    ear = Endpointer(0, SILENCE * FRAME, OPTIONS, 1 * FRAME)
    said = [ear.hear(probability) for probability in frames("###...")]
    assert [place for place, one in enumerate(said) if isinstance(one, Pause)] == [4]


@pytest.mark.parametrize(
    ("text", "confidence", "looks"),
    [("It was.", 0.9, True), ("Was it?", 0.9, True), ("It was", 0.9, False), ("It was,", 0.9, False), ("", None, False),
     ("It was...", 0.9, False), ("It was.", 0.6, False), ("It was.", None, False)],
)  # fmt: skip
def test_what_looks_finished(text: str, confidence: float | None, looks: bool) -> None:  # noqa: FBT001  # a parameter of pytest
    assert finished(text, confidence) is looks
