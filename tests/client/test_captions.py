"""The model of what is on the screen, under repeated, late and reordered results."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from starling.client.captions import Captions, Line
from starling.protocols.native.messages import Result


def result(segment_id: int, version: int, text: str, *, stable: str = "", final: bool = False) -> Result:
    return Result(
        sequence=0,
        session_id="s",
        segment_id=segment_id,
        version=version,
        result_type="final" if final else "partial",
        is_final=final,
        text=text,
        stable_text=text if final else stable,
        start=0.0,
        end=1.0,
        confidence=None,
        language=None,
        trace_id="t",
    )


RESULTS = st.lists(
    st.builds(
        result,
        st.integers(0, 4),
        st.integers(0, 5),
        st.sampled_from(["", "a", "a b", "c"]),
        final=st.booleans(),
    ),
    max_size=30,
)


def test_a_partial_grows_in_place_and_its_final_settles() -> None:
    captions = Captions()
    assert captions.update(result(0, 0, "it")) is None
    assert captions.update(result(0, 1, "it was", stable="it")) is None
    assert captions.provisional == (Line(segment_id=0, version=1, text="it was", stable=2, settled=False),)
    settled = captions.update(result(0, 2, "It was.", final=True))
    assert settled == Line(segment_id=0, version=2, text="It was.", stable=7, settled=True)
    assert not captions.provisional


def test_an_older_version_and_what_follows_a_final_are_no_news() -> None:
    captions = Captions()
    captions.update(result(0, 3, "newer"))
    captions.update(result(0, 2, "older"))
    assert [line.text for line in captions.provisional] == ["newer"]
    captions.update(result(0, 4, "done", final=True))
    assert captions.update(result(0, 5, "ghost")) is None
    assert captions.update(result(0, 4, "done", final=True)) is None
    assert captions.provisional == ()


def test_segments_that_overlap_have_a_line_each_in_their_order() -> None:
    captions = Captions()
    captions.update(result(1, 0, "second"))
    captions.update(result(0, 0, "first"))
    assert [line.text for line in captions.provisional] == ["first", "second"]
    captions.update(result(1, 1, "Second.", final=True))
    assert [line.text for line in captions.provisional] == ["first"]


def test_a_final_without_words_closes_its_segment_and_shows_nothing() -> None:
    captions = Captions()
    captions.update(result(0, 0, "noise"))
    assert captions.update(result(0, 1, "", final=True)) is None
    assert captions.provisional == ()


def test_a_stable_text_that_is_no_prefix_is_not_trusted() -> None:
    captions = Captions()
    captions.update(result(0, 0, "there", stable="them"))
    assert captions.provisional[0].stable == 0


@given(RESULTS)
def test_every_segment_settles_once_and_then_has_no_provisional_line(results: list[Result]) -> None:
    captions = Captions()
    settled: list[int] = []
    for one in results:
        line = captions.update(one)
        if line:
            settled.append(line.segment_id)
        shown = [line.segment_id for line in captions.provisional]
        assert len(set(shown)) == len(shown)
        assert not set(shown) & set(settled)
        assert all(0 <= line.stable <= len(line.text) for line in captions.provisional)
    assert len(set(settled)) == len(settled)


@given(RESULTS)
def test_delivering_everything_twice_changes_nothing(results: list[Result]) -> None:
    once, twice = Captions(), Captions()
    for one in results:
        line = once.update(one)
        assert twice.update(one) == line
        assert twice.update(one) is None
        assert once.provisional == twice.provisional
