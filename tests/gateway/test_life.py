"""The life of a session at a gateway."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starling.core.errors import IllegalTransition
from starling.gateway.life import ABSENT, MOVABLE, TRANSITIONS, Event, Life, Stage


@given(st.lists(st.sampled_from(Event)))
def test_what_has_no_place_is_refused_and_changes_nothing(events: list[Event]) -> None:
    life = Life()
    for event in events:
        before = life.stage
        if (before, event) in TRANSITIONS:
            life.go(event)
            assert life.stage is TRANSITIONS[before, event]
        else:
            with pytest.raises(IllegalTransition, match=f"that is {before} cannot take '{event}'"):
                life.go(event)
            assert life.stage is before


def test_every_stage_is_reached_and_settled_and_nothing_follows_that() -> None:
    assert {Stage.OPENING, *TRANSITIONS.values()} == set(Stage)
    assert all(TRANSITIONS[stage, Event.SETTLED] is Stage.OVER for stage in Stage if stage is not Stage.OVER)
    assert not any(stage is Stage.OVER for stage, _ in TRANSITIONS)


@pytest.mark.parametrize("stage", sorted(ABSENT))
def test_who_was_away_is_where_it_was(stage: Stage) -> None:
    assert TRANSITIONS[TRANSITIONS[stage, Event.BACK], Event.LOST] is stage


@pytest.mark.parametrize("stage", sorted(MOVABLE))
def test_what_may_move_takes_whatever_happens_before_it_has(stage: Stage) -> None:
    assert TRANSITIONS[stage, Event.MOVED] is Stage.MOVED
    assert {event for one, event in TRANSITIONS if one is Stage.MOVED} == set(Event) - {Event.OPENED, Event.MOVED}
