import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from starling.core.audio import FRAME, AudioFormat, Encoding
from starling.core.config import SessionConfig, VadMode
from starling.core.errors import CorruptAudio, UnsupportedAudio
from starling.core.records import Audio, Configure, Ended, EndReason, Finalize, Gap, Record
from starling.gateway.intake import Intake
from starling.protocols.verbs import OpenRequest
from starling.telemetry.metrics import Metrics
from starling.vad.gate import GateOptions
from starling.vad.gated import PIECE

GATE = GateOptions(hangover=1.5, pre_roll=0.5)


def intake(config: SessionConfig | None = None, audio: AudioFormat | None = None) -> Intake:
    return Intake("s", OpenRequest(config=config or SessionConfig(), audio=audio or AudioFormat()), GATE, Metrics())


def heard(records: list[Record]) -> NDArray[np.int16]:
    """The audio in ``records`` by position, gaps as zeros; positions and sequence numbers must have no holes."""
    pieces: list[NDArray[np.int16]] = []
    end = 0
    for sequence, record in enumerate(records):
        assert not hasattr(record, "sequence") or record.sequence == sequence
        if isinstance(record, Audio | Gap):
            assert record.start == end
            end = record.end
            pieces.append(record.samples if isinstance(record, Audio) else np.zeros(record.count, np.int16))
    return np.concatenate([np.empty(0, np.int16), *pieces])


def fed(taker: Intake, data: bytes) -> list[Record]:
    return [record for records in taker.feed(data, 1.0) for record in records]


def bursts(seed: int) -> NDArray[np.int16]:
    """Noise and silence in turns, 16 s."""
    rng = np.random.default_rng(seed)
    parts = [rng.integers(-9_000, 9_000, 24_000) if index % 2 else np.zeros(40_000) for index in range(8)]
    return np.concatenate(parts).astype(np.int16)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 9), st.lists(st.integers(1, 90_000), max_size=12), st.sampled_from(["finalize", "longer", "off", None]))
def test_however_it_is_cut_what_is_sent_is_what_is_heard(seed: int, cuts: list[int], control: str | None) -> None:
    samples = bursts(seed)
    data = samples.tobytes()
    taker = intake()
    records: list[Record] = []
    at = 0
    for cut in [*cuts, len(data)]:
        records += fed(taker, data[at : at + cut])
        at += cut
        if control == "finalize":
            records += taker.finalize(1.0)
        elif control is not None:
            config = SessionConfig(endpoint_silence=3.0) if control == "longer" else SessionConfig(vad=VadMode.OFF)
            records += taker.configure(config, 1.0)
    rest, fault = taker.end(EndReason.CLIENT, 1.0)
    records += rest
    np.testing.assert_array_equal(heard(records), samples[: taker.position])
    assert fault is None or taker.position < len(samples)
    assert all(len(record.samples) <= PIECE for record in records if isinstance(record, Audio))
    assert isinstance(records[-1], Ended)


def test_the_gate_is_open_for_a_second_past_the_endpoint() -> None:
    silence = bytes(2 * 16_000 * 20)
    for endpoint, passes in ((0.2, 1.5), (0.5, 1.5), (4.0, 5.0)):
        taker = intake(SessionConfig(endpoint_silence=endpoint))
        first = next(record for record in fed(taker, silence) if isinstance(record, Gap))
        assert passes <= first.start / 16_000 < passes + 0.1
    assert not any(isinstance(record, Gap) for record in fed(intake(SessionConfig(vad=VadMode.OFF)), silence))


def test_finalize_and_configure_come_after_what_was_held_back() -> None:
    taker = intake()
    records = fed(taker, bytes(2 * 16_000 * 5))
    assert sum(record.end - record.start for record in records if isinstance(record, Audio | Gap)) < taker.position
    records += taker.finalize(1.0)
    assert isinstance(records[-1], Finalize)
    assert len(heard(records)) == taker.position
    unchanged = taker.configure(SessionConfig(words=True), 1.0)
    assert [type(record) for record in unchanged] == [Configure]


def test_a_fault_comes_after_what_could_be_decoded() -> None:
    taker = intake(SessionConfig(vad=VadMode.OFF))
    early = fed(taker, bytes(3_001))
    assert len(heard(early)) == 2 * FRAME
    records, fault = taker.end(EndReason.CLIENT, 1.0)
    assert isinstance(fault, CorruptAudio)
    assert [type(record) for record in records] == [Audio, Ended]
    assert len(heard([*early, *records])) == 1_500
    broken = intake(audio=AudioFormat(Encoding.WAV))
    with pytest.raises(CorruptAudio):
        fed(broken, b"no wave" * 100)
    _, fault = broken.end(EndReason.ERROR, 1.0)
    assert isinstance(fault, CorruptAudio)


def test_a_format_that_cannot_be_decoded_is_refused_at_once() -> None:
    with pytest.raises(UnsupportedAudio):
        intake(audio=AudioFormat(sample_rate=1))
