"""What holds for every encoding, whatever the bytes are and however they are cut."""

from __future__ import annotations

import tracemalloc
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.streams import decode, media_recorder, mux, ogg, opus_packets, page, simple_block, speech, wav, webm_head
from starling.audio import open_decoder
from starling.core.audio import AudioFormat, Encoding
from starling.core.errors import CorruptAudio, UnsupportedAudio


@cache
def material() -> dict[str, tuple[Encoding, bytes, int, int]]:
    """Streams of 0.2 s by name: encoding, bytes, declared rate and channels."""
    packets = opus_packets(0.2)
    stereo = np.stack([speech(44_100, 0.2), speech(44_100, 0.2)[::-1]], axis=1)
    return {
        "pcm_s16le": (Encoding.PCM_S16LE, speech(16_000, 0.2).tobytes(), 16_000, 1),
        "pcm_s16le 44.1 kHz stereo": (Encoding.PCM_S16LE, stereo.tobytes(), 44_100, 2),
        "pcm_f32le 48 kHz": (Encoding.PCM_F32LE, (speech(48_000, 0.2) / 32_768).astype("<f4").tobytes(), 48_000, 1),
        "mulaw": (Encoding.MULAW, bytes(range(256)) * 6, 8_000, 1),
        "alaw stereo": (Encoding.ALAW, bytes(range(256)) * 12, 8_000, 2),
        "wav 24 kHz": (Encoding.WAV, mux("wav", "pcm_s24le", speech(24_000, 0.2), 24_000), 16_000, 1),
        "wav streaming": (Encoding.WAV, wav(stereo.tobytes(), rate=44_100, channels=2, size=0), 16_000, 1),
        "webm_opus live": (Encoding.WEBM_OPUS, media_recorder(packets), 16_000, 1),
        "webm_opus muxed": (Encoding.WEBM_OPUS, mux("webm", "libopus", speech(48_000, 0.2), 48_000), 16_000, 1),
        "flac": (Encoding.FLAC, mux("flac", "flac", speech(16_000, 0.2), 16_000, frame_size="256"), 16_000, 1),
        "flac 24 kHz stereo": (Encoding.FLAC, mux("flac", "flac", stereo, 48_000, layout="stereo"), 16_000, 1),
        "ogg_opus": (Encoding.OGG_OPUS, ogg(packets), 16_000, 1),
        "ogg_opus muxed": (Encoding.OGG_OPUS, mux("ogg", "libopus", stereo, 48_000, layout="stereo"), 16_000, 1),
    }


NAMES = list(material())


def outcome(name: str, pieces: list[bytes]) -> tuple[bytes, str]:
    encoding, _, rate, channels = material()[name]
    samples, error = decode(encoding, pieces, sample_rate=rate, channels=channels)
    assert samples.dtype == np.int16
    assert samples.ndim == 1
    return samples.tobytes(), "" if error is None else f"{error.code}: {error.message}"


def cut(data: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(edge % (len(data) + 1) for edge in at), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@pytest.mark.parametrize("name", NAMES)
def test_bytes_one_by_one_give_the_same(name: str) -> None:
    data = material()[name][1]
    whole = outcome(name, [data])
    assert whole[1] == ""
    assert outcome(name, [data[i : i + 1] for i in range(len(data))]) == whole


@settings(deadline=None)
@given(name=st.sampled_from(NAMES), at=st.lists(st.integers(0, 1 << 20), max_size=30), end=st.integers(0, 1 << 20))
def test_the_cuts_do_not_matter_wherever_the_stream_ends(name: str, at: list[int], end: int) -> None:
    data = material()[name][1]
    data = data[: end % (len(data) + 1)]
    assert outcome(name, cut(data, at)) == outcome(name, [data])


@settings(deadline=None, max_examples=300)
@given(
    name=st.sampled_from(NAMES),
    changes=st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(max_size=9), st.integers(0, 9)), min_size=1, max_size=6),
    at=st.lists(st.integers(0, 1 << 20), max_size=6),
    early=st.booleans(),
)
def test_hostile_bytes_only_ever_cause_client_errors(
    name: str,
    changes: list[tuple[int, bytes, int]],
    at: list[int],
    early: bool,  # noqa: FBT001 - drawn
) -> None:
    data = bytearray(material()[name][1])
    for position, put, remove in changes:
        start = position % min(len(data) + 1, 200 if early else 1 << 20)  # headers are where a change matters most
        data[start : start + remove] = put
    # decode() lets everything but the decoder's own fault through.
    assert outcome(name, cut(bytes(data), at)) == outcome(name, [bytes(data)])


@settings(deadline=None)
@given(encoding=st.sampled_from(list(Encoding)), data=st.binary(max_size=400))
def test_garbage_only_ever_causes_client_errors(encoding: Encoding, data: bytes) -> None:
    error = decode(encoding, [data])[1]
    assert error is None or isinstance(error, CorruptAudio | UnsupportedAudio)


@settings(deadline=None)
@given(packets=st.lists(st.binary(max_size=40), min_size=1, max_size=8), granule=st.integers(-(1 << 63), (1 << 63) - 1))
def test_hostile_packets_in_sound_containers_only_ever_cause_client_errors(packets: list[bytes], granule: int) -> None:
    in_ogg, _ = decode(Encoding.OGG_OPUS, [ogg(packets, granule=granule)])
    in_webm, _ = decode(Encoding.WEBM_OPUS, [media_recorder(packets)])
    assert len(in_ogg) <= len(in_webm)  # the granule position may only trim
    decode(Encoding.WEBM_OPUS, [webm_head() + simple_block(b"".join(packets), lacing=granule & 6)])


@settings(deadline=None, max_examples=40)
@given(
    encoding=st.sampled_from([Encoding.PCM_S16LE, Encoding.PCM_F32LE, Encoding.MULAW, Encoding.ALAW]),
    rate=st.integers(8_000, 96_000),
    channels=st.integers(1, 8),
    frames=st.integers(0, 5_000),
)
def test_n_samples_become_n_times_16000_over_the_rate(encoding: Encoding, rate: int, channels: int, frames: int) -> None:
    size = {Encoding.PCM_S16LE: 2, Encoding.PCM_F32LE: 4}.get(encoding, 1)
    samples, error = decode(encoding, [bytes(size * channels * frames)], sample_rate=rate, channels=channels)
    assert error is None
    assert abs(len(samples) - frames * 16_000 / rate) <= 0.5


ENDLESS = {
    "wav: one chunk after the other": (Encoding.WAV, b"RIFF\0\0\0\0WAVE", b"JUNK\xf8\x0f\0\0" + b"\0" * 4_088),
    "wav: tags without end": (Encoding.WAV, wav(b"\0\0"), b"LIST\xf8\x0f\0\0" + b"\0" * 4_088),
    "ogg: a page that never ends": (Encoding.OGG_OPUS, b"", page([bytes(65_024)], sequence=0, flags=2)[:4_096]),
    "flac: a frame that never ends": (
        Encoding.FLAC,
        mux("flac", "flac", speech(16_000, 0.2), 16_000)[:9_000],
        b"\xff\xf8\xc9\x18" * 1_024,
    ),
    "flac: a picture without end": (
        Encoding.FLAC,
        mux("flac", "flac", speech(16_000, 0.2), 16_000)[:4]
        + b"\0\0\0\x22"
        + mux("flac", "flac", speech(16_000, 0.2), 16_000)[8:42],
        b"\x06\0\x0f\xfc" + bytes(4_092),
    ),
    "webm: a block that never ends": (Encoding.WEBM_OPUS, webm_head() + b"\xa3\x10\x02\0\0", b"\0" * 4_096),
    "webm: voids without end": (Encoding.WEBM_OPUS, webm_head(), b"\xec\x4f\xfd" + b"\0" * 4_093),
}


@pytest.mark.parametrize("name", list(ENDLESS))
def test_what_never_ends_is_not_collected(name: str) -> None:
    encoding, head, more = ENDLESS[name]
    decoder = open_decoder(AudioFormat(encoding))
    decoder.feed(head)
    tracemalloc.start()
    try:
        for _ in range(400):  # 1.6 MB
            if decoder.fault is None:
                decoder.feed(more)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_packets_that_swell_stay_within_the_documented_ratio() -> None:
    nothing = b"\x19"  # two frames of 60 ms, without a byte between them
    data = ogg([nothing] * 50)
    decoder = open_decoder(AudioFormat(Encoding.OGG_OPUS))
    samples = decoder.feed(data)
    assert decoder.fault is None
    assert len(samples) == pytest.approx(50 * 1_920, abs=200)
    assert len(samples) <= 1_920 * len(data)


def test_a_container_tells_its_own_rate_and_channels() -> None:
    encoding, data, _, _ = material()["wav 24 kHz"]
    lied, _ = decode(encoding, [data], sample_rate=1, channels=99)
    assert len(lied) == 3_200
