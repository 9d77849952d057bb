from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from starling.supervisor.strikes import STRIKES, Strikes


def test_two_strikes_at_one_place_are_out() -> None:
    strikes: Strikes[str] = Strikes()
    commits = {"a": 0, "b": 0}
    assert strikes.struck(["a", "b"], commits) == []
    assert strikes.suspects() == ["a", "b"]
    assert strikes.struck(["a"], commits) == ["a"]


def test_a_commit_forgives() -> None:
    strikes: Strikes[str] = Strikes()
    strikes.struck(["a"], {"a": 0})
    assert strikes.struck(["a"], {"a": 16_000}) == []
    strikes.settle({"a": 32_000})
    assert strikes.suspects() == []


def test_who_is_over_cannot_be_blamed() -> None:
    strikes: Strikes[str] = Strikes()
    assert strikes.struck(["gone"], {}) == []
    strikes.struck(["a"], {"a": 0})
    strikes.settle({})
    assert strikes.suspects() == []


def test_one_death_is_one_strike_however_often_a_session_was_in_hand() -> None:
    strikes: Strikes[str] = Strikes()
    assert strikes.struck(["a", "a"], {"a": 0}) == []


@given(
    st.lists(st.tuples(st.sets(st.sampled_from("abc")), st.dictionaries(st.sampled_from("abc"), st.integers(0, 2))), max_size=30)
)
def test_whoever_is_out_was_in_hand_twice_at_the_same_place(deaths: list[tuple[set[str], dict[str, int]]]) -> None:
    strikes: Strikes[str] = Strikes()
    seen: dict[str, list[int]] = {}
    for in_hand, commits in deaths:
        for name in "abc":
            if name not in commits or (seen.get(name) and seen[name][-1] != commits[name]):
                seen[name] = []
        for name in in_hand & set(commits):
            seen.setdefault(name, []).append(commits[name])
        out = strikes.struck(in_hand, commits)
        assert sorted(out) == sorted(name for name in in_hand & set(commits) if len(seen[name]) >= STRIKES)
        assert set(strikes.suspects()) <= set(commits)
