from __future__ import annotations

from dataclasses import replace

from bench.latency import Latencies
from bench.machine import Usage
from bench.ramp import Step, search, shortfall, summary
from hypothesis import given
from hypothesis import strategies as st

USAGE = Usage(seconds=10.0, server=0.5, generator=0.0, others=0.0, load=(0.0, 0.0))


def found(capacity: int, *, first: int = 1, ceiling: int = 256) -> tuple[int, list[int]]:
    tried = []
    numbers = search(first, ceiling)
    streams = next(numbers)
    while True:
        tried.append(streams)
        try:
            streams = numbers.send(streams <= capacity)
        except StopIteration as over:
            return over.value, tried


@given(capacity=st.integers(0, 400), ceiling=st.integers(1, 300))
def test_the_search_finds_the_capacity_to_within_a_sixteenth(capacity: int, ceiling: int) -> None:
    held, tried = found(capacity, ceiling=ceiling)
    reachable = min(capacity, ceiling)
    assert held <= reachable <= max(held + 1, held + held // 16)
    assert held == 0 or held in tried
    assert max(tried) <= ceiling
    assert len(tried) <= 24


def test_one_bad_moment_is_no_limit() -> None:
    numbers = search(4, 8)
    answers = iter((False, True))
    assert [next(numbers), *(numbers.send(held) for held in answers)] == [4, 4, 8]


def step(**changes: object) -> Step:
    latencies = Latencies(first=[0.2], partial=[0.1] * 20, gap=[0.5], compute=[0.1], settled=[0.6], words=40)
    base = summary(
        latencies,
        streams=2,
        seconds=10.0,
        lateness=[],
        refused=0,
        failed=0,
        memory={"gateway": 100.0, "recognizers": 200.0},
        usage=USAGE,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def test_a_step_in_time_holds() -> None:
    assert step().partial_rate == 1.0
    assert step().cpu_per_stream == 0.25
    assert shortfall(step(), step()) is None


def test_what_does_not_hold_is_named() -> None:
    slow = replace(step().partial, p95=501)
    assert shortfall(step(partial=slow), step()) == "partial P95 501 ms"
    assert shortfall(step(compute=slow), step()) == "final P95 501 ms"
    assert shortfall(step(compute=replace(slow, p95=None)), step()) == "final P95 None ms"
    assert shortfall(step(refused=3), step()) == "3 sessions refused, 0 failed"


def test_partials_on_time_but_rare_do_not_hold() -> None:
    assert shortfall(step(partial_rate=0.4), step()) == "0.40 partials per second instead of 1.00"
