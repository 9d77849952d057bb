from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from starling.scheduler.isolation import TOGETHER, apart

names = st.lists(st.sampled_from("abcdefgh"), max_size=200)


@given(names, st.sets(st.sampled_from("abcdefgh")))
def test_everybody_is_in_one_group_and_suspects_are_alone(items: list[str], suspects: set[str]) -> None:
    groups = apart(items, str, suspects)
    assert sorted(item for group in groups for item in group) == sorted(items)
    assert all(group and len(group) <= TOGETHER for group in groups)
    assert all(len(group) == 1 for group in groups if suspects & set(group))


@given(names)
def test_without_suspects_the_order_stays(items: list[str]) -> None:
    assert [item for group in apart(items, str, ()) for item in group] == items
