"""FLAC: every sample comes back, and what is none is told."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.streams import decode, mux, speech
from starling.audio.flac import LONGEST
from starling.core.audio import Encoding
from starling.core.errors import CorruptAudio, UnsupportedAudio


def flac(seconds: float = 0.5, *, rate: int = 16_000, layout: str = "mono", **options: str) -> bytes:
    pcm = speech(rate, seconds)
    return mux("flac", "flac", pcm if layout == "mono" else np.stack([pcm, pcm], axis=1), rate, layout=layout, **options)


def frames_from(data: bytes) -> int:
    """Where the first frame begins."""
    place, last = 4, 0
    while not last:
        last = data[place] & 128
        place += 4 + int.from_bytes(data[place + 1 : place + 4], "big")
    return place


@settings(deadline=None, max_examples=20)
@given(st.floats(0.01, 4), st.integers(1, 5_000))
def test_it_is_lossless_however_it_comes(seconds: float, piece: int) -> None:
    data = flac(seconds)
    samples, error = decode(Encoding.FLAC, [data[start : start + piece] for start in range(0, len(data), piece)])
    assert error is None
    assert np.array_equal(samples, speech(16_000, seconds))


def test_more_than_127_frames_are_numbered_in_several_bytes() -> None:
    data = flac(5.0, compression_level="0") * 1
    samples, error = decode(Encoding.FLAC, [data])
    assert error is None
    assert np.array_equal(samples, speech(16_000, 5.0))


@pytest.mark.parametrize("rate", [8_000, 48_000])
def test_stereo_and_other_rates_are_normalised(rate: int) -> None:
    samples, error = decode(Encoding.FLAC, [flac(rate=rate, layout="stereo")])
    plain, _ = decode(Encoding.PCM_S16LE, [speech(rate, 0.5).tobytes()], sample_rate=rate)
    assert error is None
    assert np.abs(samples.astype(int) - plain).max() <= 1


def test_blocks_before_the_audio_are_passed_over() -> None:
    data = flac()
    picture = b"\x06" + (100_000).to_bytes(3, "big") + bytes(100_000)
    samples, error = decode(Encoding.FLAC, [data[:42] + picture + data[42:]])
    assert error is None
    assert np.array_equal(samples, speech(16_000, 0.5))


def test_what_came_before_damage_is_kept() -> None:
    data = bytearray(flac(2.0))
    data[len(data) // 2] ^= 0x10
    samples, error = decode(Encoding.FLAC, [bytes(data)])
    assert isinstance(error, CorruptAudio)
    assert 0 < len(samples) < 32_000
    assert np.array_equal(samples, speech(16_000, 2.0)[: len(samples)])


def test_a_stream_that_is_cut_off_gives_the_frames_that_are_whole() -> None:
    data = flac(2.0)
    samples, error = decode(Encoding.FLAC, [data[: len(data) * 2 // 3]])
    assert isinstance(error, CorruptAudio)
    assert np.array_equal(samples, speech(16_000, 2.0)[: len(samples)])


@pytest.mark.parametrize("tail", [1, 300, 4_096, 4_097])
def test_a_last_frame_of_a_few_bytes_is_one(tail: int) -> None:
    sound = np.concatenate([speech(16_000, 4_608 / 16_000), np.zeros(4_608 * 2 + tail, np.int16)])
    data = mux("flac", "flac", sound, 16_000)
    for step in (7, len(data)):
        samples, error = decode(Encoding.FLAC, [data[start : start + step] for start in range(0, len(data), step)])
        assert error is None
        assert np.array_equal(samples, sound)


def test_no_audio_at_all_is_none() -> None:
    data = flac()
    for end in (0, frames_from(data)):
        samples, error = decode(Encoding.FLAC, [data[:end]])
        assert error is None
        assert not len(samples)


@pytest.mark.parametrize("length", [2, 6, 30, 42])
def test_less_than_the_metadata_is_an_error(length: int) -> None:
    assert isinstance(decode(Encoding.FLAC, [flac()[:length]])[1], CorruptAudio)


def test_what_is_no_flac_is_told() -> None:
    for data in (b"RIFF" + bytes(100), b"fLaC\x04\0\0\x22" + bytes(60), flac()[: frames_from(flac())] + bytes(100)):
        assert isinstance(decode(Encoding.FLAC, [data])[1], CorruptAudio)


def test_frames_that_are_too_long_are_not_taken() -> None:
    data = bytearray(flac())
    data[10:12] = struct.pack(">H", LONGEST + 1)
    assert isinstance(decode(Encoding.FLAC, [bytes(data)])[1], UnsupportedAudio)
