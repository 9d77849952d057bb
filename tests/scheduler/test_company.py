from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from starling.scheduler.company import LISTENING, OPENING, TALKING, Company


def test_who_opens_and_sends_nothing_counts_for_a_moment() -> None:
    company = Company()
    company.opened("a", 10.0)
    assert company.look(10.0) == (1, 0)
    assert company.look(10.0 + OPENING) == (0, 0)


def test_who_sends_silence_counts_for_seconds() -> None:
    company = Company()
    company.opened("a", 0.0)
    for step in range(100):
        company.heard("a", 0.1 * step)
    assert company.look(LISTENING - 0.1) == (1, 0)
    assert company.look(LISTENING) == (0, 0)


def test_sound_that_comes_late_counts_from_then() -> None:
    company = Company()
    company.opened("a", 0.0)
    assert company.look(5.0) == (0, 0)
    company.heard("a", 5.0)
    assert company.look(5.0) == (1, 0)


def test_who_talks_counts_until_it_has_been_quiet_for_long() -> None:
    company = Company()
    company.opened("a", 0.0)
    company.asked("a", 0.4)
    company.asked("a", 3.0)
    assert company.look(3.0 + TALKING - 0.1) == (1, 1)
    assert company.look(3.0 + TALKING) == (0, 0)


def test_who_sends_faster_than_speech_counts_and_says_nothing_of_those_who_talk() -> None:
    company = Company()
    company.opened("a", 0.0)
    company.asked("a", 0.1, hurried=True)
    assert company.look(1.0) == (1, 0)
    company.asked("a", 1.0)
    assert company.look(1.0) == (1, 1)


steps = st.lists(
    st.tuples(st.sampled_from(["opened", "heard", "asked", "hurried", "left"]), st.sampled_from("abcd"), st.floats(0, 3)),
    max_size=60,
)


@given(steps)
def test_nobody_counts_twice_and_who_left_counts_no_more(steps: list[tuple[str, str, float]]) -> None:
    company, now = Company(), 0.0
    present: set[str] = set()
    for verb, session_id, elapsed in steps:
        now += elapsed
        if verb == "opened" and session_id not in present:
            company.opened(session_id, now)
            present.add(session_id)
        elif verb != "opened" and session_id in present:
            if verb == "heard":
                company.heard(session_id, now)
            elif verb == "left":
                company.left(session_id)
                present.remove(session_id)
            else:
                company.asked(session_id, now, hurried=verb == "hurried")
        counted, talking = company.look(now)
        assert talking <= counted <= len(present)
    assert company.look(now + 60) == (0, 0)
