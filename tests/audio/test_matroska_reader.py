from __future__ import annotations

import struct
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from audio.streams import (
    OPUS_HEAD,
    decode,
    element,
    fault,
    media_recorder,
    mux,
    ogg,
    opus_packets,
    simple_block,
    speech,
    unknown,
    vint,
    webm_head,
)
from starling.core.audio import Encoding, Samples

CLUSTER = unknown(0x1F43B675) + element(0xE7, b"\0")


@cache
def packets() -> list[bytes]:
    return opus_packets()


@cache
def expected() -> Samples:
    """The packets as Ogg carries them: 312 of 48 kHz are the pre-skip."""
    samples, error = decode(Encoding.OGG_OPUS, [ogg(packets())])
    assert error is None
    return samples


def heard(data: bytes) -> Samples:
    samples, error = decode(Encoding.WEBM_OPUS, [data])
    assert error is None, error
    return samples


def test_a_live_recording_of_a_browser() -> None:
    samples = heard(media_recorder(packets()))
    np.testing.assert_array_equal(samples, expected())
    assert len(samples) == round((len(packets()) * 960 - 312) / 3)


def test_what_a_muxer_wrote_is_as_long_as_what_it_was_given() -> None:
    pcm = speech(48_000)
    samples = heard(mux("webm", "libopus", pcm, 48_000))
    assert len(samples) == 8_000
    assert np.corrcoef(samples, decode(Encoding.PCM_S16LE, [pcm.tobytes()], sample_rate=48_000)[0])[0, 1] > 0.95


def test_stereo() -> None:
    pcm = np.repeat(speech(48_000)[:, np.newaxis], 2, axis=1)
    assert len(heard(mux("webm", "libopus", pcm, 48_000, layout="stereo"))) == 8_000


def test_surround() -> None:
    pcm = np.repeat(speech(48_000)[:, np.newaxis], 6, axis=1)
    assert len(heard(mux("matroska", "libopus", pcm, 48_000, layout="5.1"))) == 8_000


def xiph(parts: list[bytes]) -> bytes:
    return (
        bytes([len(parts) - 1])
        + b"".join(b"\xff" * (len(p) // 255) + bytes([len(p) % 255]) for p in parts[:-1])
        + b"".join(parts)
    )


def ebml(parts: list[bytes]) -> bytes:
    sizes = vint(len(parts[0]))
    for before, after in pairwise(parts[:-1]):
        sizes += struct.pack(">H", 0x4000 | len(after) - len(before) + 8191)
    return bytes([len(parts) - 1]) + sizes + b"".join(parts)


@pytest.mark.parametrize(("lacing", "lace"), [(0x02, xiph), (0x06, ebml)])
def test_laced_blocks(lacing: int, lace: object) -> None:
    assert callable(lace)
    blocks = b"".join(simple_block(lace(packets()[i : i + 4]), lacing=lacing) for i in range(0, len(packets()), 4))
    np.testing.assert_array_equal(heard(webm_head() + CLUSTER + blocks), expected())


def test_fixed_lacing() -> None:
    silence = [b"\xf8\xff\xfe"] * 4
    laced = heard(webm_head() + CLUSTER + simple_block(b"\3" + b"".join(silence), lacing=0x04))
    np.testing.assert_array_equal(laced, heard(webm_head() + CLUSTER + b"".join(map(simple_block, silence))))
    assert "cannot be 4 laces of one size" in fault(
        Encoding.WEBM_OPUS, webm_head() + CLUSTER + simple_block(b"\3abc", lacing=0x04)
    )


def test_block_groups_and_their_padding() -> None:
    groups = [element(0xA0, element(0xA1, vint(1) + b"\0\0\0" + p) + element(0x9B, b"\x14")) for p in packets()]
    padded = element(0xA0, element(0xA1, vint(1) + b"\0\0\0" + packets()[-1]) + element(0x75A2, (10_000_000).to_bytes(4, "big")))
    np.testing.assert_array_equal(heard(webm_head() + CLUSTER + b"".join(groups)), expected())
    cut = heard(webm_head() + CLUSTER + b"".join(groups[:-1]) + padded)
    assert len(cut) == len(expected()) - 160  # 10 ms


def test_other_tracks_and_elements_are_passed_over() -> None:
    void = element(0xEC, b"\0" * 300)
    video = simple_block(b"frame", track=2)
    cues = element(0x1C53BB6B, b"\1" * 70)
    data = webm_head() + void + CLUSTER + b"".join(video + void + simple_block(p) for p in packets()) + cues
    np.testing.assert_array_equal(heard(data), expected())


def test_a_recorder_that_was_started_again_goes_on() -> None:
    np.testing.assert_array_equal(
        heard(media_recorder(packets()) * 2), decode(Encoding.OGG_OPUS, [ogg(packets()), ogg(packets(), serial=8)])[0]
    )


def test_a_track_without_a_codec_header() -> None:
    assert len(heard(webm_head(private=b"") + CLUSTER + b"".join(map(simple_block, packets())))) == len(packets()) * 320


HEAD = webm_head()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (HEAD[:20], "WebM EBML header: expected 31 bytes, the stream ended after 15"),
        (HEAD[:40], "WebM element size: expected 1 bytes, the stream ended after 0"),
        (webm_head(codec=b"A_PCM/FLOAT/IEEE"), "expected an Opus track (A_OPUS), found A_PCM/FLOAT/IEEE"),
        (webm_head(doc_type=b"avi"), "document type b'avi' is not supported"),
        (webm_head(entry=element(0x6D80, b"")), "compresses or encrypts"),
        (webm_head(private=b"OpusHead"), "expected an OpusHead of 19 bytes or more, found 8"),
        (HEAD[: HEAD.index(b"\x16\x54\xae\x6b")] + CLUSTER + simple_block(b"x"), "expected Tracks before the first block"),
        (HEAD[: HEAD.index(b"\x16\x54\xae\x6b")], "the stream ended before its Tracks"),
        (HEAD + CLUSTER + simple_block(b"abc")[:-1], "WebM block: expected 7 bytes, the stream ended after 6"),
        (HEAD + CLUSTER + simple_block(b"", track=1), "an Opus packet has 1 to 65536 bytes, found one of 0"),
        (HEAD + CLUSTER + element(0xA3, b"\x81\0"), "expected a header of 4 bytes, found 2"),
        (HEAD + CLUSTER + simple_block(b"", lacing=2), "expected a lace count"),
        (HEAD + CLUSTER + simple_block(b"\3\xff", lacing=2), "expected the sizes of its laces"),
        (HEAD + CLUSTER + simple_block(b"\1\x09abc", lacing=2), "its laces claim 9 bytes, 3 are left"),
        (HEAD + CLUSTER + element(0xA3, b"", size=1 << 50), f"expected at most 131072 bytes, its header claims {1 << 50}"),
        (HEAD + element(0xEC, b"", size=1 << 40), f"expected at most 16777216 bytes, its header claims {1 << 40}"),
        (HEAD + element(0x1654AE6B, b"", size=1 << 20), "WebM Tracks: expected at most 65536 bytes"),
        (HEAD + CLUSTER + element(0xA0, element(0x9B, b"\1")), "expected a Block in it"),
        (HEAD + CLUSTER + element(0xA0, element(0xA1, b"", size=99)), "element A1 claims 99 bytes, 0 are left"),
        (HEAD + b"\xa3\x01" + b"\xff" * 7, "only Segments and Clusters may be of unknown size, element A3 is"),
        (HEAD + CLUSTER + b"\0" * 9, "expected an element, found the byte 00"),
        (HEAD + CLUSTER + b"\xa3\0\0", "expected a variable-size integer, found 00"),
        (
            webm_head(entry=element(0x9F, b"") + element(0xE1, element(0x9F, b"\1" * 99)), private=b""),
            "at most 8 bytes, found 99",
        ),
        (webm_head(entry=element(0xE1, element(0x9F, b"\7")), private=b""), "1 or 2 channels, the container says 7"),
        (webm_head(private=OPUS_HEAD[:9] + b"\7" + OPUS_HEAD[10:]), "has 1 to 2 channels, the header says 7"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, message: str) -> None:
    assert message in fault(Encoding.WEBM_OPUS, data)


def test_what_came_before_a_broken_packet_is_heard() -> None:
    samples, error = decode(Encoding.WEBM_OPUS, [media_recorder(packets()) + simple_block(b"\xff\xff\xff")])
    np.testing.assert_array_equal(samples, expected())
    assert error is not None
    assert "expected an Opus packet, found 3 bytes that are none" in error.message
