from __future__ import annotations

import struct

import numpy as np
import pytest

from audio.streams import chunk, decode, fault, mux, speech, wav
from starling.core.audio import Encoding, Samples

SPEECH = speech(16_000)
DATA = SPEECH.tobytes()


def heard(data: bytes) -> Samples:
    samples, error = decode(Encoding.WAV, [data])
    assert error is None, error
    return samples


def test_what_a_muxer_wrote_is_read() -> None:
    np.testing.assert_array_equal(heard(mux("wav", "pcm_s16le", SPEECH, 16_000)), SPEECH)


@pytest.mark.parametrize(
    ("code", "bits", "data", "tolerance"),
    [
        (1, 8, ((SPEECH >> 8) + 128).astype(np.uint8).tobytes(), 256),
        (1, 24, (SPEECH.astype("<i4") << 8).view(np.uint8).reshape(-1, 4)[:, :3].tobytes(), 0),
        (1, 32, (SPEECH.astype("<i4") << 16).tobytes(), 0),
        (3, 32, (SPEECH / 32_768).astype("<f4").tobytes(), 0),
        (3, 64, (SPEECH / 32_768).astype("<f8").tobytes(), 0),
    ],
)
def test_every_sample_kind_says_the_same(code: int, bits: int, data: bytes, tolerance: int) -> None:
    difference = heard(wav(data, code=code, bits=bits)).astype(int) - SPEECH
    assert np.abs(difference).max() <= tolerance


@pytest.mark.parametrize(("code", "codec"), [(6, "pcm_alaw"), (7, "pcm_mulaw")])
def test_companded_wav(code: int, codec: str) -> None:
    written = mux("wav", codec, SPEECH, 16_000)
    assert struct.unpack_from("<H", written, 20) == (code,)
    samples = heard(written)
    assert np.corrcoef(samples, SPEECH)[0, 1] > 0.999


def test_extensible_format() -> None:
    guid = struct.pack("<H", 1) + bytes.fromhex("000000001000800000aa00389b71")
    extra = struct.pack("<HHI", 22, 16, 4) + guid
    np.testing.assert_array_equal(heard(wav(DATA, code=0xFFFE, extra=extra)), SPEECH)
    assert "sub-format" in fault(Encoding.WAV, wav(DATA, code=0xFFFE, extra=extra[:-1] + b"x"))
    assert "takes 40 bytes, found 16" in fault(Encoding.WAV, wav(DATA, code=0xFFFE))


def test_extensible_format_as_a_muxer_writes_it() -> None:
    surround = np.repeat(SPEECH[:, np.newaxis], 6, axis=1)
    written = mux("wav", "pcm_s16le", surround, 16_000, layout="5.1")
    assert struct.unpack_from("<H", written, 20) == (0xFFFE,)
    np.testing.assert_array_equal(heard(written), SPEECH)


@pytest.mark.parametrize("size", [0, 0xFFFF_FFFF, 0x7FFF_F000, 0x8000_0000])
def test_a_streaming_header_means_to_the_end(size: int) -> None:
    np.testing.assert_array_equal(heard(wav(DATA, size=size)), SPEECH)


def test_other_chunks_are_passed_over_before_and_after() -> None:
    odd = chunk(b"LIST", b"abc") + chunk(b"JUNK", b"") + chunk(b"bext", b"x" * 602)
    np.testing.assert_array_equal(heard(wav(DATA, before=odd, after=odd)), SPEECH)


def test_an_odd_data_chunk_is_padded() -> None:
    data = wav(b"\x80" * 3, bits=8, after=b"\0" + chunk(b"LIST", b"ab"))
    assert heard(data).tolist() == [0, 0, 0]


def test_rf64_takes_its_size_from_ds64() -> None:
    ds64 = chunk(b"ds64", struct.pack("<QQQI", 0, len(DATA), 0, 0))
    data = wav(DATA, form=b"RF64", before=ds64, size=0xFFFF_FFFF, after=chunk(b"LIST", b"tags"))
    np.testing.assert_array_equal(heard(data), SPEECH)


def test_a_stream_shorter_than_its_header_says_is_heard_and_told() -> None:
    samples, error = decode(Encoding.WAV, [wav(DATA[:-101], size=len(DATA))])
    np.testing.assert_array_equal(samples, SPEECH[:-51])
    assert error is not None
    assert f"expected {len(DATA)} bytes as its header says, the stream ended after {len(DATA) - 101}" in error.message


def test_a_stream_longer_than_its_header_says_is_told() -> None:
    samples, error = decode(Encoding.WAV, [wav(DATA, size=1_000)])
    np.testing.assert_array_equal(samples, SPEECH[:500])
    assert error is not None
    assert "after the data chunk of 1000 bytes" in error.message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (wav(DATA)[:9], "expected a WAV header"),
        (wav(DATA)[:20], "fmt chunk: expected 16 bytes, the stream ended after 0"),
        (wav(DATA)[:40], "WAV header: expected 8 bytes, the stream ended after 4"),
        (wav(DATA, form=b"RIFX"), "big-endian"),
        (b"RIFF....AVI " + DATA, "expected a WAV header"),
        (wav(DATA, code=2, bits=4, align=1), "format code 2 with 4 bits is not supported"),
        (wav(DATA, code=0x55, bits=0, align=1), "format code 85 with 0 bits"),
        (wav(DATA, rate=192_000), "sample_rate must be between 8000 and 96000 Hz, got 192000"),
        (wav(DATA, channels=9), "channels must be between 1 and 8, got 9"),
        (wav(DATA, align=3), "1 channels of 2 bytes make 2, it says 3"),
        (wav(DATA[:7], size=7), "is not a whole number of 2-byte frames"),
        (wav(DATA[:7], size=0), "ends inside a frame"),
        (wav(DATA, after=chunk(b"data", DATA)), "more than one data chunk"),
        (wav(DATA, after=b"abc"), "3 bytes too many"),
        (b"RIFF\0\0\0\0WAVE" + chunk(b"data", DATA), "expected a fmt chunk before the data chunk"),
        (b"RIFF\0\0\0\0WAVE" + b"fmt \xff\xff\xff\x7f", "no data chunk within the first 1048576 bytes"),
        (b"RIFF\0\0\0\0WAVE" + b"fmt \x02\0\0\0", "expected 16 to 4096 bytes, its header says 2"),
        (b"RIFF\0\0\0\0WAVE" + b"JUNK\0\0\0\0" * 200_000, "no data chunk within the first 1048576 bytes"),
        (b"RIFF\0\0\0\0WAVE" + b"\xff\xfe\0\0\0\0\0\0", "expected a chunk in the header"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, message: str) -> None:
    assert message in fault(Encoding.WAV, data)
