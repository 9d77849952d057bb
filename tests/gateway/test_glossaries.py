"""How fast one client may bring new lists of hot words."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from starling.core.hotwords import MAX_HOTWORDS, HotWord, hot_words
from starling.gateway.glossaries import BURST, KEPT, PER_SECOND, Glossaries


def of(size: int, number: int) -> tuple[HotWord, ...]:
    return hot_words(f"word {number} {index}" for index in range(size))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, MAX_HOTWORDS), st.floats(0, 5)), max_size=30))
def test_nobody_who_waits_as_told_has_more_compiled_than_the_burst_and_the_rate(steps: list[tuple[int, int, float]]) -> None:
    glossaries, now, compiled = Glossaries(), 0.0, 0
    for number, (_, size, pause) in enumerate(steps):
        now += pause
        now += glossaries.charge(of(size, number), "key a", now)
        compiled += size
        assert compiled <= BURST + PER_SECOND * now + 1e-6


def test_sessions_that_share_a_list_pay_for_it_once_and_each_client_for_itself() -> None:
    glossaries, shared = Glossaries(), of(MAX_HOTWORDS, 0)
    assert all(glossaries.charge(shared, f"key {number % 2}", 0.0) == 0 for number in range(1000))
    rich = round(BURST) // MAX_HOTWORDS
    waits = [glossaries.charge(of(MAX_HOTWORDS, 1 + number), "key 0", 0.0) for number in range(rich)]
    assert [wait > 0 for wait in waits] == [False] * (rich - 1) + [True]
    assert glossaries.charge(of(MAX_HOTWORDS, 100), "key 1", 0.0) == 0
    assert glossaries.charge((), "key 0", 0.0) == 0


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, MAX_HOTWORDS)), max_size=80))
def test_what_is_remembered_is_bounded(lists: list[tuple[int, int]]) -> None:
    glossaries = Glossaries()
    for number, size in lists:
        glossaries.charge(of(size, number), "key", 0.0)
        assert glossaries._words == sum(glossaries._known.values()) <= KEPT


def test_a_list_that_was_not_seen_for_long_is_new_again() -> None:
    glossaries = Glossaries()
    glossaries.charge(of(MAX_HOTWORDS, 0), "key a", 0.0)
    for number in range(1, KEPT // MAX_HOTWORDS + 1):
        glossaries.charge(of(MAX_HOTWORDS, number), f"key {number}", 0.0)
    before = glossaries.charge(of(1, -1), "key a", 0.0)
    glossaries.charge(of(MAX_HOTWORDS, 0), "key a", 0.0)
    bucket = glossaries._buckets.of("key a", 0.0)
    assert (before, bucket._level) == (0, BURST - 2 * MAX_HOTWORDS - 1)
