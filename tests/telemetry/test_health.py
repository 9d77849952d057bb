from __future__ import annotations

import json
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starling.core.errors import IllegalTransition
from starling.telemetry.health import NEXT, Component, Health, State


def test_a_part_that_never_reports_keeps_the_process_from_being_ready() -> None:
    health = Health("engine", "vad")
    health.set("engine", State.OK)
    assert not health.ready
    health.set("vad", State.OK)
    assert health.ready


@pytest.mark.parametrize(("before", "after"), list(product(State, State)))
def test_the_table_is_the_law(before: State, after: State) -> None:
    health = Health("engine")
    health.set("engine", before, "before")
    if after in NEXT[before]:
        health.set("engine", after, "after")
        assert health["engine"] == Component(after, "after")
    elif before is State.DRAINING:
        health.set("engine", after, "after")
        assert health["engine"] == Component(before, "before")
    else:
        with pytest.raises(IllegalTransition, match=f"{before} and cannot become {after}"):
            health.set("engine", after, "after")
        assert health["engine"] == Component(before, "before")


@given(st.lists(st.tuples(st.sampled_from(["engine", "vad"]), st.sampled_from(list(State)))))
def test_once_drained_or_failed_it_is_never_ready_again(steps: list[tuple[str, State]]) -> None:
    health = Health("engine", "vad")
    over = failed = False
    for name, state in steps:
        if state in NEXT[health[name].state]:
            health.set(name, state)
            over |= state in {State.DRAINING, State.FAILED}
            failed |= state is State.FAILED
        assert not (over and health.ready)
        assert health.live is not failed


def test_drain_spares_what_has_failed() -> None:
    health = Health("engine", "vad")
    health.set("vad", State.FAILED, "weights are gone")
    health.drain("SIGTERM")
    assert health["engine"] == Component(State.DRAINING, "SIGTERM")
    assert health["vad"] == Component(State.FAILED, "weights are gone")


def test_who_watches_a_component_that_drains_is_not_heard() -> None:
    health = Health("engine")
    health.drain("SIGTERM")
    health.set("engine", State.OK)
    health.set("engine", State.STARTING, "nobody is there")
    assert health["engine"] == Component(State.DRAINING, "SIGTERM")
    health.set("engine", State.FAILED, "weights are gone")
    assert not health.live


def test_the_report_is_json() -> None:
    health = Health("engine")
    health.set("engine", State.STARTING, "loading the model")
    assert json.loads(json.dumps(health.report())) == {
        "ready": False,
        "live": True,
        "components": {"engine": {"state": "starting", "reason": "loading the model"}},
    }


def test_an_undeclared_component_is_a_bug() -> None:
    with pytest.raises(KeyError):
        Health("engine").set("engin", State.OK)
