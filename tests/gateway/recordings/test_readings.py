"""Figures from the metrics of processes that are busy, replaced, or not there yet."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from starling.gateway.recordings.readings import Reading, Readings, Sample, read
from starling.gateway.recordings.series import LENGTH, Point, Series
from starling.telemetry.exposition import merged
from starling.telemetry.metrics import Metrics, render

WORDS = "starling_words_total"
FINAL = "starling_final_latency_seconds"


def reading(at: float, **said: float) -> Reading:
    """``said``: words of each process."""
    return Reading(at, {name: {(WORDS, ""): value} for name, value in said.items()})


def readings(*found: Reading, window: float = 60) -> Readings:
    made = Readings(window)
    for one in found:
        made.add(one)
    return made


def test_a_page_of_several_processes_is_read() -> None:
    here, there = Metrics(), Metrics()
    here.words.inc(3)
    there.words.inc(4)
    there.sessions_refused.labels(reason="rate").inc(2)
    there.final_latency.observe(0.12)
    found = readings(read(merged({"gateway": render(here), "worker-0": render(there)}).decode(), 1.0))
    assert found.processes == ["gateway", "worker-0"]
    assert found.value(WORDS) == 7
    assert found.value(WORDS, "worker-0") == 4
    assert found.counted("starling_sessions_refused_total")["rate"] == 2
    p50 = found.quantile(FINAL, 0.5)
    assert p50 is not None
    assert 0.1 < p50 < 0.15
    assert found.rate(WORDS) == 0


def test_a_process_that_was_too_busy_to_answer_makes_no_jump() -> None:
    found = readings(reading(0, a=1000, b=500), reading(5, a=1010), reading(10, a=1020, b=510))
    assert found.rate(WORDS) == (20 + 10) / 10
    lost = readings(reading(0, a=1000), reading(5, a=1010, b=700_000), reading(10, a=1020, b=700_010))
    assert lost.rate(WORDS) == (20 + 10) / 10


def test_a_process_that_was_replaced_counts_from_nothing() -> None:
    assert readings(reading(0, a=1000), reading(10, a=30)).rate(WORDS) == 3
    assert readings(reading(0, a=1000, b=10), reading(10, b=20)).rate(WORDS) == 1


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.floats(0, 1e6), max_size=3), min_size=1, max_size=12))
def test_no_rate_is_ever_negative_nor_above_what_was_counted(said: list[dict[str, float]]) -> None:
    found = readings(*(reading(5.0 * at, **one) for at, one in enumerate(said)), window=30)
    most = sum(max((one.get(name, 0.0) for one in said), default=0.0) for name in "abc")
    assert 0 <= found.rate(WORDS) * max(found.span, 1) <= most + 1e-6


def test_latency_is_that_of_the_window() -> None:
    def measured(at: float, **counts: float) -> Reading:
        bounds = {"x": "0.1", "y": "1", "z": "+Inf"}
        said: dict[Sample, float] = {(f"{FINAL}_bucket", bounds[name]): count for name, count in counts.items()}
        return Reading(at, {"a": said})

    old = measured(0, x=100, y=100, z=100)
    assert readings(old).quantile(FINAL, 0.5) == 0.05
    assert readings(old, measured(5, x=100, y=110, z=110)).quantile(FINAL, 0.5) == 0.55
    assert readings(old, measured(5, x=100, y=100, z=100)).quantile(FINAL, 0.5) is None


def point(at: float) -> Point:
    return Point(
        at=at,
        cpu=0.5,
        memory=1,
        sessions=0,
        recognizers=1,
        transcribers=None,
        queued=None,
        running=None,
        live_audio=0,
        recorded_audio=0,
        final_p50=None,
        final_p95=None,
        final_p99=None,
        partial_p95=None,
        failures=0,
        refusals=0,
    )


def test_charts_are_bounded_and_go_on_where_somebody_left_off() -> None:
    series = Series()
    for at in range(LENGTH + 50):
        series.add(point(1000.0 + 5 * at))
    columns = series.columns()
    assert {len(column) for column in columns.values()} == {LENGTH}
    times = [at for at in columns["at"] if at is not None]
    assert times == sorted(times)
    assert series.columns(times[-3])["at"] == times[-2:]
    assert series.columns(times[-1])["at"] == []
    assert columns["transcribers"][0] is None


def test_a_clock_that_was_set_back_begins_anew() -> None:
    series = Series()
    for at in (1000.0, 1005.0, 400.0, 405.0):
        series.add(point(at))
    assert series.columns()["at"] == [400.0, 405.0]
