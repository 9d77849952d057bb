from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from starling.core.load import Load, Rung
from starling.supervisor.placement import Place, place


def load(sessions: int, demand: float, rung: Rung = Rung.NORMAL) -> Load:
    return Load(sessions=sessions, demand=demand, room=0.85 - demand, each=0.05, rung=rung, retry_after=1.0, at=0.0)


def test_nobody_is_nobody() -> None:
    assert place([]) is None


def test_the_most_room_wins_not_the_fewest_sessions() -> None:
    busy = Place(worker=0, sessions=2, load=load(2, 0.8))
    many = Place(worker=1, sessions=500, load=load(500, 0.2))
    assert place([busy, many]) == 1


def test_of_equals_the_one_with_fewer_sessions() -> None:
    assert place([Place(worker=0, sessions=3), Place(worker=1, sessions=2)]) == 1


def test_one_that_refuses_is_the_last_resort() -> None:
    full = Place(worker=0, sessions=1, load=load(1, 0.1, Rung.REFUSING))
    assert place([full, Place(worker=1, sessions=9, load=load(9, 0.9))]) == 1
    assert place([full]) == 0


def test_room_is_for_one_more_of_what_sessions_cost_and_none_where_they_are_refused() -> None:
    assert Place(worker=0, sessions=1, load=load(1, 0.78)).has_room
    assert not Place(worker=0, sessions=2, load=load(1, 0.78)).has_room, "what was said is older than the second one"
    assert not Place(worker=0, sessions=1, load=load(1, 0.1, Rung.REFUSING)).has_room
    assert Place(worker=0, sessions=19).has_room
    assert not Place(worker=0, sessions=20).has_room


def test_a_burst_is_spread_though_nobody_has_measured_it_yet() -> None:
    sessions = [0, 0, 0]
    for _ in range(12):
        chosen = place([Place(worker=n, sessions=count, load=load(0, 0.0)) for n, count in enumerate(sessions)])
        assert chosen is not None
        sessions[chosen] += 1
    assert sessions == [4, 4, 4]


def test_a_burst_is_spread_though_nearly_everybody_who_is_there_is_silent() -> None:
    sessions = [1000, 2000]
    for _ in range(12):
        chosen = place([Place(worker=n, sessions=count, load=load(1000 * (n + 1), 0.0)) for n, count in enumerate(sessions)])
        assert chosen is not None
        sessions[chosen] += 1
    assert sessions == [1006, 2006]


places = st.builds(
    Place,
    worker=st.integers(0, 9),
    sessions=st.integers(0, 50),
    load=st.none() | st.builds(load, st.integers(0, 50), st.floats(0, 4), st.sampled_from(Rung)),
)


@given(st.lists(places, min_size=1, max_size=8))
def test_the_choice_is_one_of_those_there_and_never_one_that_refuses_without_need(candidates: list[Place]) -> None:
    chosen = [one for one in candidates if one.worker == place(candidates)]
    assert chosen
    if any(not one.refuses for one in candidates):
        assert any(not one.refuses for one in chosen)
