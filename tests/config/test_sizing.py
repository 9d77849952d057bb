from __future__ import annotations

import pytest

from starling.config.settings import Settings
from starling.config.sizing import WORKER_MEMORY, cores, fitting, workers

ENOUGH = 100 * WORKER_MEMORY


@pytest.mark.parametrize(
    ("cpus", "quota", "memory", "count"),
    [
        (8, None, ENOUGH, 8),
        (8, 2.5, ENOUGH, 2),
        (8, 0.5, ENOUGH, 1),
        (2, 16.0, ENOUGH, 2),
        (8, None, 4 * WORKER_MEMORY, 3),
        (8, None, WORKER_MEMORY, 1),
    ],
)
def test_one_worker_per_core_as_far_as_quota_and_memory_go(cpus: int, quota: float | None, memory: int, count: int) -> None:
    assert fitting(Settings(), cpus, quota, memory) == count


def test_the_settings_have_the_last_word() -> None:
    assert workers(Settings.model_validate({"processes": {"workers": 0}})) == 0
    assert workers(Settings.model_validate({"processes": {"workers": 7}})) == 7
    assert 1 <= workers(Settings()) <= len(cores())
