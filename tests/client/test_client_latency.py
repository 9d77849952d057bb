"""Latency figures on a virtual clock."""

from __future__ import annotations

import pytest

from client.scripted_server import result
from starling.client.latency import KEPT, Latency


def test_each_figure_compares_arrival_with_the_voice() -> None:
    at = 50.0
    latency = Latency(now=lambda: at)
    at = 51.4
    latency.update(result("It", start=1.0, end=1.2))
    at = 51.9
    latency.update(result("It was", start=1.0, end=1.5, version=1))
    at = 53.0
    latency.update(result("It was.", start=1.0, end=2.5, version=2, final=True))
    assert latency.summary(0.5) == (
        "latency (median): first words 0.40 s after speech starts, "
        "partials 0.30 s behind the voice, finals 0.50 s after speech ends (it takes 0.5 s of silence)"
    )


@pytest.mark.parametrize("final", [True, False])
def test_results_without_words_do_not_count(*, final: bool) -> None:
    latency = Latency(now=lambda: 0.0)
    latency.update(result("", final=final))
    assert latency.summary(0.5) == "latency (median): nothing was said"


def test_memory_is_bounded() -> None:
    latency = Latency(now=lambda: 0.0)
    for segment_id in range(5 * KEPT):
        latency.update(result("a", segment_id=segment_id))
    assert len(latency._first) <= KEPT
    assert len(latency._partial) <= KEPT
