"""What the metrics say must be what the script implies. Chunks are frames; a chunk arrives when its last sample was spoken."""

from __future__ import annotations

import asyncio

import pytest

from scripted_session import CONFIG, Part, written
from starling.core.audio import FRAME, samples, seconds
from starling.core.config import SessionConfig
from starling.core.transcript import SpeechEnded, SpeechStarted, Transcript
from starling.telemetry.metrics import Metrics
from starling.worker.latency import Latency
from virtual_time import VirtualClock, run
from worker.rig import Rig

FRAME_TIME = seconds(FRAME)
DECODE = 0.1
SPEECH = 32  # frames
SCRIPT: list[Part] = [("silence", 10 * FRAME_TIME), ("speech", SPEECH * FRAME_TIME), ("silence", 20 * FRAME_TIME)]
ENDPOINT = 10  # the fewest frames of silence that last 0.3 s


def spoken(config: SessionConfig, *, listen: float = 0.0) -> Rig:
    rig = Rig(decode=lambda: DECODE, listen=lambda: listen)

    async def scenario() -> None:
        async with rig.running():
            await rig.client("s", written(SCRIPT, range(FRAME, samples(10.0), FRAME)), config=config)

    run(scenario())
    return rig


def test_a_final_is_as_late_as_its_decode() -> None:
    rig = spoken(CONFIG.updated(partials=False))
    assert rig.measured("final_latency_seconds_count") == 1
    assert rig.measured("final_latency_seconds_sum") == pytest.approx(DECODE)


def test_a_final_is_as_late_as_its_detector_and_its_decode() -> None:
    rig = spoken(CONFIG.updated(partials=False), listen=0.01)
    assert rig.measured("final_latency_seconds_sum") == pytest.approx(0.01 + DECODE)
    assert rig.measured("vad_seconds_sum") == pytest.approx(0.01 * rig.measured("vad_seconds_count"))


def test_a_final_waits_for_the_partial_that_is_being_decoded() -> None:
    # Partials are asked for 8, 18, 28 and 38 frames after the onset; the endpoint comes 42 frames after it, 0.128 s later.
    rig = spoken(CONFIG, listen=0.0)
    assert rig.measured("final_latency_seconds_sum") == pytest.approx(DECODE)
    slow = Rig(decode=lambda: 0.2)

    async def scenario() -> None:
        async with slow.running():
            await slow.client("s", written(SCRIPT, range(FRAME, samples(10.0), FRAME)))

    run(scenario())
    assert slow.measured("final_latency_seconds_sum") == pytest.approx((0.2 - 4 * FRAME_TIME) + 0.2)
    assert slow.measured("queue_wait_seconds_sum", kind="final") == pytest.approx(0.2 - 4 * FRAME_TIME)


def test_the_endpoint_wait_is_counted_in_sound() -> None:
    rig = spoken(CONFIG, listen=0.01)
    assert rig.measured("endpoint_wait_seconds_count") == 1
    assert rig.measured("endpoint_wait_seconds_sum") == pytest.approx(ENDPOINT * FRAME_TIME)


def test_the_first_partial_counts_from_the_arrival_of_the_first_speech() -> None:
    # The first partial is asked for when 8 frames are there: 7 frames after the first of them was.
    rig = spoken(CONFIG)
    assert rig.measured("first_partial_latency_seconds_count") == 1
    assert rig.measured("first_partial_latency_seconds_sum") == pytest.approx(7 * FRAME_TIME + DECODE)


def test_partials_come_on_the_cadence_asked_for() -> None:
    rig = spoken(CONFIG)
    assert rig.measured("partial_interval_seconds_count") >= 2
    mean = rig.measured("partial_interval_seconds_sum") / rig.measured("partial_interval_seconds_count")
    assert mean == pytest.approx(10 * FRAME_TIME)  # the fewest frames that last 0.3 s


def test_the_real_time_factor_counts_every_decode_of_a_segment() -> None:
    rig = spoken(CONFIG)
    decodes = rig.measured("decodes_total", kind="partial", outcome="ok") + rig.measured(
        "decodes_total", kind="final", outcome="ok"
    )
    assert rig.measured("real_time_factor_ratio_sum") == pytest.approx(decodes * DECODE / (SPEECH * FRAME_TIME))


def test_a_session_leaves_nothing_staged_in_the_metrics() -> None:
    rig = spoken(CONFIG)
    assert rig.measured("log_lag_seconds") == 0
    assert rig.measured("engine_in_flight") == 0
    assert rig.measured("segments_total", outcome="text") == 1


def final(segment_id: int, text: str = "text") -> Transcript:
    return Transcript(
        session_id="s", segment_id=segment_id, revision=1, is_final=True, text=text, stable_text=text, start=0, end=10
    )


def test_arrivals_are_forgotten_once_committed() -> None:
    async def scenario() -> None:
        latency = Latency(VirtualClock(), Metrics())
        for end in range(100, 10_000, 100):
            latency.arrived(end, 0.0)
            latency.committed(end - 200)
        assert len(latency._arrivals) <= 3

    run(scenario())


def test_speech_whose_arrival_is_not_known_any_more_is_not_late() -> None:
    async def scenario() -> None:
        metrics = Metrics()
        latency = Latency(VirtualClock(), metrics)
        latency.delivered(SpeechStarted("s", 0, 5000))
        latency.delivered(SpeechEnded("s", 0, 6000, 7000))
        told = latency.delivered(final(0, text=""))
        assert told is not None
        assert told.latency == 0.0
        assert not latency._segments
        assert metrics.registry.get_sample_value("starling_segments_total", {"outcome": "empty"}) == 1

    run(scenario())


def test_a_final_that_the_client_asked_for_counts_from_the_asking() -> None:
    async def scenario() -> float | None:
        latency = Latency(VirtualClock(), Metrics())
        latency.arrived(16_000, VirtualClock().now())
        latency.delivered(SpeechStarted("s", 0, 0))
        await asyncio.sleep(30.0)  # the client pauses in mid-sentence, and then ends
        latency.told()
        latency.delivered(SpeechEnded("s", 0, 16_000, 16_000))
        await asyncio.sleep(DECODE)
        final = Transcript(
            session_id="s", segment_id=0, revision=1, is_final=True, text="a", stable_text="a", start=0, end=16_000
        )
        told = latency.delivered(final)
        return None if told is None else told.latency

    assert run(scenario()) == pytest.approx(DECODE)
