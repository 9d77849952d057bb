from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from contracts.job_store_contract import NOW, job
from starling.core.jobs import Job
from starling.core.load import Priority
from starling.jobs.order import RANK, age, pick, position

WAITING = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(Priority), st.integers(0, 5)), max_size=25).map(
    lambda found: [
        replace(job(f"{number:02}", tenant=tenant, priority=priority), created=NOW + created)
        for number, (tenant, priority, created) in enumerate(found)
    ]
)

TURNS = st.permutations("abcd").map(lambda tenants: {tenant: turn for turn, tenant in enumerate(tenants)})


def served(waiting: list[Job], turns: dict[str, int]) -> list[Job]:
    """All, in order."""
    left, turns, order = list(waiting), dict(turns), []
    while (found := pick(left, turns)) is not None:
        turns[found.tenant] = max(turns.values()) + 1
        left.remove(found)
        order.append(found)
    return order


@given(WAITING, TURNS)
def test_a_position_is_the_place_in_the_order_of_service(waiting: list[Job], turns: dict[str, int]) -> None:
    order = served(waiting, turns)
    counts = Counter((RANK[each.priority], each.tenant) for each in waiting)
    for place, each in enumerate(order):
        same = [other for other in waiting if (other.tenant, other.priority) == (each.tenant, each.priority)]
        older = sum(age(other) < age(each) for other in same)
        tenants = sorted(turns, key=turns.__getitem__)
        assert position(counts, tenants, rank=RANK[each.priority], tenant=each.tenant, older=older) == place


@given(WAITING, TURNS)
def test_between_two_jobs_of_a_tenant_nobody_of_its_rank_has_two(waiting: list[Job], turns: dict[str, int]) -> None:
    order = served(waiting, turns)
    assert [RANK[each.priority] for each in order] == sorted(RANK[each.priority] for each in order)
    for rank in RANK.values():
        names = [each.tenant for each in order if RANK[each.priority] == rank]
        for tenant in set(names):
            places = [place for place, name in enumerate(names) if name == tenant]
            for start, end in itertools.pairwise(places):
                assert max(Counter(names[start + 1 : end]).values(), default=0) <= 1


@given(WAITING, TURNS)
def test_of_a_tenant_the_oldest_is_first(waiting: list[Job], turns: dict[str, int]) -> None:
    order = served(waiting, turns)
    for tenant in turns:
        for priority in Priority:
            ages = [age(each) for each in order if (each.tenant, each.priority) == (tenant, priority)]
            assert ages == sorted(ages)
