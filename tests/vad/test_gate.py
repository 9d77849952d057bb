from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.vad_contract import alone, framed
from recordings import recording
from starling.core.audio import FRAME, Samples
from starling.core.config import SessionConfig, VadMode
from starling.core.errors import InvalidOption
from starling.vad.detector import Detector
from starling.vad.gate import GateOptions, GatePart, Passed, SilenceGate, Skipped

SECOND = 16_000
SHORT = GateOptions(hangover=0.32, pre_roll=0.16, report_every=0.32)
HANGOVER, PRE_ROLL, REPORT = 10 * FRAME, 5 * FRAME, 10 * FRAME


def silence(length: int) -> Samples:
    return np.zeros(length, np.int16)


def voice(length: int) -> Samples:
    samples: Samples = recording("two_cities")[SECOND : SECOND + length]
    return samples


def fed(gate: SilenceGate, chunks: Iterable[Samples]) -> list[GatePart]:
    return [part for chunk in chunks for part in gate.feed(chunk)] + gate.flush()


def merged(parts: Sequence[GatePart]) -> list[tuple[str, int, int, bytes]]:
    """Adjacent parts of a kind as one: kind, start, end, audio. Fails on a hole, an overlap or an empty part."""
    runs: list[tuple[str, int, int, bytes]] = []
    position = 0
    for part in parts:
        assert part.start == position
        kind, audio, count = (
            ("passed", part.samples.tobytes(), len(part.samples)) if isinstance(part, Passed) else ("skipped", b"", part.count)
        )
        assert count > 0
        position += count
        if runs and runs[-1][0] == kind:
            _, start, _, before = runs.pop()
            runs.append((kind, start, position, before + audio))
        else:
            runs.append((kind, part.start, position, audio))
    return runs


def skipped(parts: Sequence[GatePart]) -> list[tuple[int, int]]:
    return [(start, end) for kind, start, end, _ in merged(parts) if kind == "skipped"]


@st.composite
def scenes(draw: st.DrawFn) -> Samples:
    """Speech and silence by turns, in odd lengths."""
    lengths = draw(st.lists(st.integers(1, 2 * SECOND), min_size=1, max_size=5))
    quiet = draw(st.booleans())
    return np.concatenate([silence(n) if quiet == bool(i % 2) else voice(n) for i, n in enumerate(lengths)])


def chunked(samples: Samples, borders: Iterable[int]) -> list[Samples]:
    edges = sorted({0, len(samples), *borders})
    return [samples[start:end] for start, end in itertools.pairwise(edges)]


@given(scene=scenes(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_cuts_change_nothing(scene: Samples, data: st.DataObject) -> None:
    whole = fed(SilenceGate(SHORT), [scene])
    chunks = chunked(scene, data.draw(st.sets(st.integers(0, len(scene)), max_size=40)))
    parts = fed(SilenceGate(SHORT), chunks)
    assert merged(parts) == merged(whole)
    assert [part for part in parts if isinstance(part, Skipped)] == [part for part in whole if isinstance(part, Skipped)]


@given(scene=scenes(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_all_audio_is_accounted_for(scene: Samples, data: st.DataObject) -> None:
    gate = SilenceGate(SHORT)
    position, told = 0, 0
    for chunk in chunked(scene, data.draw(st.sets(st.integers(0, len(scene)), max_size=10))):
        position += len(chunk)
        for part in gate.feed(chunk):
            assert part.start == told
            if isinstance(part, Passed):
                np.testing.assert_array_equal(part.samples, scene[told : told + len(part.samples)])
                told += len(part.samples)
            else:
                assert part.start % FRAME == part.count % FRAME == 0
                told += part.count
        # The pre-roll, what is not worth a report yet, and a frame that is not whole.
        assert position - told < PRE_ROLL + REPORT + FRAME
        assert len(gate._held) < PRE_ROLL + FRAME
    assert sum(len(part.samples) if isinstance(part, Passed) else part.count for part in gate.flush()) == position - told


def test_while_it_is_open_no_whole_frame_waits() -> None:
    gate = SilenceGate(GateOptions())
    scene = voice(3 * SECOND)
    position = told = 0
    for chunk in chunked(scene, range(0, 3 * SECOND, 77)):
        parts = gate.feed(chunk)
        position += len(chunk)
        for part in parts:
            assert isinstance(part, Passed)
            assert part.start == told
            np.testing.assert_array_equal(part.samples, scene[told : told + len(part.samples)])
            told += len(part.samples)
        assert told == position // FRAME * FRAME
    (rest,) = gate.flush()
    assert isinstance(rest, Passed)
    np.testing.assert_array_equal(rest.samples, scene[told:])
    assert gate.flush() == []


def test_sample_by_sample_there_are_no_more_parts_than_frames() -> None:
    assert len(fed(SilenceGate(GateOptions(enabled=False)), [silence(1)] * (4 * FRAME + 1))) == 5


def test_it_shuts_after_the_hangover_and_reports_what_it_skips() -> None:
    parts = SilenceGate(SHORT).feed(silence(5 * HANGOVER))
    first, *reports = parts
    assert isinstance(first, Passed)
    assert (first.start, len(first.samples)) == (0, HANGOVER)
    assert reports == [Skipped(HANGOVER + i * REPORT, REPORT) for i in range(3)]


def test_it_opens_on_voice_with_the_pre_roll() -> None:
    quiet = 4 * SECOND
    scene = np.concatenate((silence(quiet), voice(SECOND)))
    gate = SilenceGate(SHORT)
    gate.feed(scene[:quiet])
    told = next((i, parts) for i in range(quiet, len(scene), FRAME) if (parts := gate.feed(scene[i : i + FRAME])))
    opened_at, (*_, last) = told
    assert isinstance(last, Passed)
    assert last.start % FRAME == 0
    assert last.start + len(last.samples) == opened_at + FRAME
    assert PRE_ROLL + FRAME <= len(last.samples) < PRE_ROLL + 2 * FRAME
    np.testing.assert_array_equal(last.samples, scene[last.start : opened_at + FRAME])


def test_a_short_pause_is_passed_whole() -> None:
    scene = np.concatenate((voice(SECOND), silence(HANGOVER - 2 * FRAME), voice(SECOND)))
    assert skipped(fed(SilenceGate(SHORT), [scene])) == []


def test_voice_within_the_pre_roll_skips_nothing() -> None:
    scene = np.concatenate((silence(HANGOVER + 2 * FRAME), voice(SECOND)))
    assert skipped(fed(SilenceGate(SHORT), [scene])) == []


def test_after_a_flush_it_is_open_for_a_hangover() -> None:
    whole = 60 * FRAME
    gate = SilenceGate(SHORT)
    gate.feed(silence(whole))
    assert gate.flush()[-1].start == whole - PRE_ROLL
    (part,) = gate.feed(silence(HANGOVER))
    assert isinstance(part, Passed)
    assert (part.start, len(part.samples)) == (whole, HANGOVER)
    assert gate.feed(silence(FRAME)) == []
    (held,) = gate.flush()
    assert held.start == whole + HANGOVER
    assert gate.flush() == []


def test_switched_off_it_passes_everything() -> None:
    gate = SilenceGate(GateOptions(enabled=False))
    length = 32 * FRAME
    for i in range(20):
        (part,) = gate.feed(silence(length))
        assert isinstance(part, Passed)
        assert (part.start, len(part.samples)) == (i * length, length)


def test_what_it_passes_is_not_what_was_fed() -> None:
    chunk = voice(SECOND).copy()
    (part,) = SilenceGate(SHORT).feed(chunk)
    assert isinstance(part, Passed)
    assert not np.shares_memory(part.samples, chunk)


def test_no_samples_no_parts() -> None:
    assert SilenceGate(SHORT).feed(silence(0)) == []


def test_ten_minutes_of_silence_are_a_few_seconds_of_audio() -> None:
    minutes = 10
    parts = fed(SilenceGate(GateOptions()), itertools.repeat(silence(SECOND), 60 * minutes))
    passed = sum(len(part.samples) for part in parts if isinstance(part, Passed))
    assert passed < 3 * SECOND
    assert len(parts) < 60 * minutes + 5


@pytest.mark.model
@pytest.mark.parametrize("decibels", [0, -20])
@pytest.mark.parametrize("name", ["two_cities", "beckett", "endgame_nagg_nell"])
def test_it_skips_no_speech_and_most_of_long_silence(name: str, decibels: float) -> None:
    speech = np.round(recording(name) * 10 ** (decibels / 20)).astype(np.int16)
    half = 10 * SECOND
    noise = np.random.default_rng(1).normal(0, 3, 3 * half).astype(np.int16)  # -80 dB
    scene = np.concatenate((noise[:half], speech[:half], noise[half:], speech[half : 2 * half]))
    gaps = skipped(fed(SilenceGate(GateOptions()), [scene]))
    scores = alone(Detector(), VadMode.SILERO, framed(scene))
    for start, end in gaps:
        assert scores[start // FRAME : end // FRAME].max() < 0.5
    assert sum(end - start for start, end in gaps) > 20 * SECOND


def test_it_stays_open_until_a_segment_can_end() -> None:
    patient = SessionConfig(endpoint_silence=3.0)
    (first, *_) = SilenceGate(GateOptions().suited_to(patient)).feed(silence(10 * SECOND))
    assert isinstance(first, Passed)
    assert 4.0 <= len(first.samples) / SECOND < 4.1
    assert GateOptions(hangover=9).suited_to(patient).hangover == 9


@pytest.mark.parametrize(
    ("mode", "allowed", "enabled"), [(VadMode.BOTH, True, True), (VadMode.OFF, True, False), (VadMode.BOTH, False, False)]
)
def test_it_gates_only_for_sessions_that_detect_speech(mode: VadMode, *, allowed: bool, enabled: bool) -> None:
    assert GateOptions(enabled=allowed).suited_to(SessionConfig(vad=mode)).enabled is enabled


@pytest.mark.parametrize("field", ["hangover", "pre_roll", "report_every"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_durations_must_be_positive(field: str, value: float) -> None:
    with pytest.raises(InvalidOption, match=f"{field} must be a positive number of seconds"):
        GateOptions(**{field: value})  # type: ignore[arg-type]  # the field's name is data here
