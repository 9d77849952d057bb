from __future__ import annotations

from typing import Literal

import pytest
from bench.latency import Latencies, Listener, Schedule, frames, spread

from starling.core.audio import FRAME, SAMPLE_RATE
from starling.protocols.native.messages import Result, SpeechEnded

SCHEDULE = Schedule(began=100.0, chunk=1600, total=20 * SAMPLE_RATE)


def listener() -> Listener:
    return Listener(SCHEDULE, endpoint_silence=0.5, max_segment=15.0)


def result(
    kind: Literal["partial", "final"], *, segment: int = 0, start: float = 1.0, end: float, text: str = "two words"
) -> Result:
    return Result(
        sequence=0,
        session_id="s",
        segment_id=segment,
        version=1,
        result_type=kind,
        is_final=kind == "final",
        text=text,
        stable_text="",
        start=start,
        end=end,
        confidence=None,
        language="en",
        trace_id="t",
    )


def test_a_sample_is_due_with_the_last_one_of_its_chunk() -> None:
    assert SCHEDULE.due(1) == pytest.approx(100.1)
    assert SCHEDULE.due(1600) == pytest.approx(100.1)
    assert SCHEDULE.due(1601) == pytest.approx(100.2)
    assert SCHEDULE.due(10**9) == SCHEDULE.over == pytest.approx(120.0)


def test_partials_count_from_the_onset_the_newest_audio_and_each_other() -> None:
    heard = listener()
    heard.hear(result("partial", end=1.5), at=101.55)
    heard.hear(result("partial", end=1.8), at=102.0)
    first, partial, gap = heard.latencies.first, heard.latencies.partial, heard.latencies.gap
    assert first == [pytest.approx(0.45)]  # the sample at 1.0 s is in the chunk due at 101.1
    assert partial == [pytest.approx(0.05), pytest.approx(0.2)]
    assert gap == [pytest.approx(0.45)]


def test_the_endpoint_wait_is_no_computing() -> None:
    heard = listener()
    heard.hear(SpeechEnded(sequence=1, at=3.0), at=103.62)
    heard.hear(result("final", end=3.0), at=103.7)
    decided = 3.0 + frames(0.5) / SAMPLE_RATE  # 3.512 s, in the chunk due at 103.6
    assert decided == pytest.approx(3.512)
    assert heard.latencies.compute == [pytest.approx(0.1)]
    assert heard.latencies.settled == [pytest.approx(0.7)]
    assert heard.latencies.waits == [pytest.approx(0.6)]
    assert heard.latencies.words == 2


def test_a_segment_cut_for_its_length_was_decided_by_its_length() -> None:
    heard = listener()
    heard.hear(SpeechEnded(sequence=1, at=10.0), at=116.2)
    heard.hear(result("final", end=10.0), at=116.3)
    assert 1.0 + frames(15.0) / SAMPLE_RATE == pytest.approx(16.008)  # in the chunk due at 116.1
    assert heard.latencies.compute == [pytest.approx(0.2)]


def test_an_endpoint_sooner_than_the_rule_counts_from_its_notice() -> None:
    heard = listener()
    heard.hear(SpeechEnded(sequence=1, at=3.0), at=103.3)
    heard.hear(result("final", end=3.0), at=103.35)
    assert heard.latencies.compute == [pytest.approx(0.05)]


def test_what_the_end_of_the_session_decided_is_not_timed() -> None:
    heard = listener()
    heard.hear(SpeechEnded(sequence=1, at=20.0), at=120.01)
    heard.hear(result("final", start=19.0, end=20.0), at=120.5)
    assert heard.latencies.compute == heard.latencies.settled == []
    assert heard.latencies.words == 2


def test_the_next_segment_has_a_first_partial_again() -> None:
    heard = listener()
    heard.hear(result("partial", end=1.5), at=101.5)
    heard.hear(SpeechEnded(sequence=1, at=2.0), at=102.5)
    heard.hear(result("final", end=2.0), at=102.6)
    heard.hear(result("partial", segment=1, start=4.0, end=4.3), at=104.4)
    assert heard.latencies.first == [pytest.approx(0.4), pytest.approx(0.3)]
    assert heard.latencies.gap == []


def test_frames_are_whole() -> None:
    assert frames(0.032) == FRAME
    assert frames(0.033) == 2 * FRAME


def test_percentiles_are_milliseconds() -> None:
    found = spread([value / 1000 for value in range(101)])
    assert (found.p50, found.p95, found.p99, found.count) == (50, 95, 99, 101)
    assert spread([]).p95 is None


def test_latencies_add_up() -> None:
    total = Latencies(first=[1.0], words=3)
    total.add(Latencies(first=[2.0], partial=[0.5], compute=[0.25], settled=[1.0], words=4))
    assert (total.first, total.partial, total.waits, total.words) == ([1.0, 2.0], [0.5], [0.75], 7)
