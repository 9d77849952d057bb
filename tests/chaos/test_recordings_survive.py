"""Recordings from several clients while transcribers are killed: none is lost, none is there twice, every text is right."""

from __future__ import annotations

import asyncio

import pytest
from bench.jobs import Plan, measure

pytestmark = pytest.mark.model


def test_recordings_survive_transcribers_that_are_killed() -> None:
    """``python -m bench.jobs`` does the same with 500 of them."""
    outcome, _ = asyncio.run(measure(Plan(jobs=18, clients=5, kill_every=5)))
    assert (outcome.jobs, outcome.results) == (18, 18)
    assert (outcome.lost, outcome.twice, outcome.wrong) == (0, 0, 0)
    assert outcome.killed
