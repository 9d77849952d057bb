from __future__ import annotations

import numpy as np
import pytest

from audio.streams import decode, fault, speech
from starling.audio import open_decoder
from starling.core.audio import AudioFormat, Encoding
from starling.core.errors import CorruptAudio, IllegalTransition, UnsupportedAudio


def test_16_khz_mono_int16_passes_uncopied() -> None:
    data = speech(16_000).tobytes()
    samples = open_decoder(AudioFormat()).feed(data)
    assert samples.tobytes() == data
    assert np.shares_memory(samples, np.frombuffer(data, np.int16))


def test_a_sample_split_between_feeds_is_carried_over() -> None:
    decoder = open_decoder(AudioFormat())
    assert decoder.feed(b"\x01").size == 0
    assert decoder.feed(b"\x02\x03").tolist() == [0x0201]
    assert decoder.feed(b"\x04").tolist() == [0x0403]
    assert decoder.flush().size == 0
    assert decoder.fault is None


def test_half_a_sample_at_the_end_is_told_after_the_tail() -> None:
    decoder = open_decoder(AudioFormat(Encoding.PCM_S16LE, sample_rate=48_000))
    fed = decoder.feed(speech(48_000).tobytes() + b"\1")
    assert decoder.fault is None
    tail = decoder.flush()
    assert len(fed) + len(tail) == 8_000
    assert isinstance(decoder.fault, CorruptAudio)
    assert "a frame is 2 bytes (1 x 2), the last has 1" in decoder.fault.message


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        (Encoding.PCM_F32LE, (speech(16_000) / 32_768).astype("<f4").tobytes()),
        (Encoding.PCM_S16LE, speech(16_000).tobytes()),
    ],
)
def test_float_and_integer_samples_mean_the_same(encoding: Encoding, data: bytes) -> None:
    samples, error = decode(encoding, [data])
    assert error is None
    np.testing.assert_array_equal(samples, speech(16_000))


def test_channels_are_mixed_by_their_mean() -> None:
    frames = np.array([[100, 300], [-32_768, -32_768], [32_767, 32_767], [7, -7]], np.int16)
    samples, _ = decode(Encoding.PCM_S16LE, [frames.tobytes()], channels=2)
    assert samples.tolist() == [200, -32_768, 32_767, 0]


def test_eight_channels_at_the_highest_rate() -> None:
    frames = np.repeat(speech(96_000)[:, np.newaxis], 8, axis=1)
    mono, _ = decode(Encoding.PCM_S16LE, [speech(96_000).tobytes()], sample_rate=96_000)
    mixed, _ = decode(Encoding.PCM_S16LE, [frames.tobytes()], sample_rate=96_000, channels=8)
    np.testing.assert_array_equal(mixed, mono)


def test_floats_a_little_over_full_scale_are_clipped() -> None:
    samples, error = decode(Encoding.PCM_F32LE, [np.array([1.5, -1.5, 1.0, 0.5], "<f4").tobytes()])
    assert error is None
    assert samples.tolist() == [32_767, -32_768, 32_767, 16_384]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3_000.0])
def test_floats_that_are_no_audio_end_it_after_what_was_good(value: float) -> None:
    samples, error = decode(Encoding.PCM_F32LE, [np.array([0.5, 0.25, value, 0.5], "<f4").tobytes()])
    assert samples.tolist() == [16_384, 8_192]
    assert isinstance(error, CorruptAudio)
    assert f"got {value:g}" in error.message


@pytest.mark.parametrize(("rate", "channels"), [(7_999, 1), (96_001, 1), (16_000, 0), (16_000, 9), (0, 1), (-1, 1)])
def test_rates_and_channels_out_of_range_are_refused_at_once(rate: int, channels: int) -> None:
    with pytest.raises(UnsupportedAudio, match=r"must be between (8000 and 96000 Hz|1 and 8), got"):
        open_decoder(AudioFormat(Encoding.MULAW, sample_rate=rate, channels=channels))


def test_a_fault_is_raised_by_whatever_comes_next() -> None:
    decoder = open_decoder(AudioFormat(Encoding.WAV))
    assert decoder.feed(b"this is no WAV file").size == 0
    assert decoder.fault is not None
    with pytest.raises(CorruptAudio):
        decoder.feed(b"")
    with pytest.raises(CorruptAudio):
        decoder.flush()


def test_nothing_may_follow_a_flush() -> None:
    decoder = open_decoder(AudioFormat())
    decoder.flush()
    with pytest.raises(IllegalTransition):
        decoder.feed(b"")


@pytest.mark.parametrize("encoding", list(Encoding))
def test_no_bytes_are_no_audio_and_no_fault(encoding: Encoding) -> None:
    samples, error = decode(encoding, [b"", b""])
    assert samples.size == 0
    assert samples.dtype == np.int16
    assert error is None


def test_garbage_is_told_what_was_expected() -> None:
    assert fault(Encoding.OGG_OPUS, b"x" * 100).startswith("corrupt_audio: expected an Ogg page")
    assert fault(Encoding.WEBM_OPUS, b"x" * 100).startswith("corrupt_audio: expected an EBML header")
