from __future__ import annotations

import zlib
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio.streams import OPUS_HEAD, OPUS_TAGS, decode, fault, mux, ogg, opus_packets, page, speech
from starling.audio.ogg import crc
from starling.core.audio import Encoding, Samples

HEAD = page([OPUS_HEAD], sequence=0, flags=2, granule=0)
TAGS = page([OPUS_TAGS], sequence=1, granule=0)
SILENCE = b"\xf8\xff\xfe"  # 20 ms


@cache
def packets() -> list[bytes]:
    return opus_packets()


@cache
def expected() -> Samples:
    return heard(ogg(packets()))


def heard(data: bytes) -> Samples:
    samples, error = decode(Encoding.OGG_OPUS, [data])
    assert error is None, error
    return samples


@given(data=st.binary(max_size=50))
def test_the_checksum_is_that_of_rfc_3533(data: bytes) -> None:
    register = 0
    for byte in data:
        register ^= byte << 24
        for _ in range(8):
            register = (register << 1) ^ (0x04C11DB7 if register & 0x8000_0000 else 0)
        register &= 0xFFFF_FFFF
    assert crc(data) == register
    assert not data or crc(data) != zlib.crc32(data)


def test_what_a_muxer_wrote_is_as_long_as_what_it_was_given() -> None:
    pcm = speech(48_000)
    samples = heard(mux("ogg", "libopus", pcm, 48_000))
    assert len(samples) == 8_000
    assert np.corrcoef(samples, decode(Encoding.PCM_S16LE, [pcm.tobytes()], sample_rate=48_000)[0])[0, 1] > 0.95


def test_pre_skip_is_dropped_and_the_last_granule_trims_the_end() -> None:
    assert len(heard(ogg(packets()))) == round((len(packets()) * 960 - 312) / 3)
    np.testing.assert_array_equal(heard(ogg(packets(), granule=312 + 4_800))[:1_590], expected()[:1_590])
    assert len(heard(ogg(packets(), granule=len(packets()) * 960 - 480))) == len(expected()) - 160


def test_packets_that_go_on_in_the_next_page() -> None:
    first, second, *rest = packets()
    big = opus_padded(second, 600)
    data = HEAD + TAGS + page([first, big[:510]], sequence=2, goes_on=True) + page([big[510:], *rest[:3]], sequence=3, flags=1)
    whole = HEAD + TAGS + page([first, big, *rest[:3]], sequence=2)
    np.testing.assert_array_equal(heard(data), heard(whole))


def opus_padded(packet: bytes, padding: int) -> bytes:
    """``packet`` (one frame) with ``padding`` bytes of Opus padding (RFC 6716 section 3.2.5): longer, the same sound."""
    full, rest = divmod(padding, 254)
    return bytes([packet[0] | 3, 0x41]) + b"\xff" * full + bytes([rest]) + packet[1:] + bytes(padding)


def test_many_packets_to_a_page() -> None:
    np.testing.assert_array_equal(heard(HEAD + TAGS + page(packets(), sequence=2)), expected())


def test_tags_of_any_size_are_passed_over() -> None:
    cover = OPUS_TAGS + b"x" * (3 * 65_025 - len(OPUS_TAGS))
    tags = b"".join(
        page([cover[i * 65_025 : (i + 1) * 65_025]], sequence=1 + i, flags=min(i, 1), goes_on=True) for i in range(3)
    ) + page([b"end"], sequence=4, flags=1)
    np.testing.assert_array_equal(heard(HEAD + tags + page(packets(), sequence=5)), expected())


def test_other_streams_beside_are_passed_over() -> None:
    theora = page([b"\x80theora"], sequence=0, flags=2, serial=99)
    frame = page([b"frame"], sequence=1, serial=99)
    second = page([OPUS_HEAD], sequence=0, flags=2, serial=8)
    np.testing.assert_array_equal(heard(theora + HEAD + second + frame + TAGS + frame + page(packets(), sequence=2)), expected())


def test_a_chained_stream_goes_on() -> None:
    np.testing.assert_array_equal(heard(ogg(packets()) + ogg(packets(), serial=8))[: len(expected())][:-40], expected()[:-40])
    assert len(heard(ogg(packets()) + ogg(packets(), serial=8))) == round((len(packets()) * 960 - 312) * 2 / 3)


def test_a_stream_joined_while_it_ran_is_trimmed_by_its_own_clock() -> None:
    start = 48_000 * 3_600
    pages = [page([p], sequence=2 + i, granule=start + 960 * (i + 1)) for i, p in enumerate(packets()[:4])]
    last = page([packets()[4]], sequence=6, flags=4, granule=start + 960 * 5 - 480)
    assert len(heard(HEAD + TAGS + b"".join(pages) + last)) == round((960 * 5 - 480 - 312) / 3)


def damaged(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"OggS", "expected a page header of 27 bytes, the stream ended after 4"),
        (HEAD[:-1], "Ogg page 0: expected 19 bytes, the stream ended after 18"),
        (damaged(HEAD), "Ogg page 0: expected the checksum"),
        (HEAD + TAGS + b"garbage" * 10, "expected an Ogg page ('OggS', version 0), found b'garba'"),
        (page([b"\1vorbis"], sequence=0, flags=2), "expected an Opus stream, found b'\\x01vorbis'"),
        (page([b"\1vorbis"], sequence=0, flags=2) + page([b"x"], sequence=1), "an Opus stream to begin, found b'\\x01vor"),
        (page([SILENCE], sequence=9), "found the middle of a stream"),
        (HEAD + page([SILENCE], sequence=1), "expected OpusTags after the OpusHead"),
        (HEAD + TAGS + page([SILENCE], sequence=3), "expected page 2 of the stream, found page 3"),
        (HEAD + TAGS + page([SILENCE], sequence=2, flags=1), "do not fit together"),
        (HEAD + TAGS + page([bytes(255)], sequence=2, goes_on=True), "the stream ended inside a packet, after 255 bytes"),
        (HEAD + TAGS + page([bytes(255)], sequence=2, goes_on=True) + page([SILENCE], sequence=3), "do not fit together"),
        (HEAD + TAGS + page([b""], sequence=2), "an Opus packet has 1 to 65536 bytes, found one of 0"),
        (HEAD + TAGS + page([bytes(65_025)], sequence=2, goes_on=True) + page([bytes(65_025)], sequence=3, flags=1, goes_on=True),
         "Ogg page 3: an Opus packet has at most 65536 bytes"),
        (page([OPUS_HEAD[:8] + b"\x10" + OPUS_HEAD[9:]], sequence=0, flags=2), "OpusHead version 16 is not supported"),
        (page([OPUS_HEAD[:18] + b"\2"], sequence=0, flags=2), "mapping family 2 is not supported"),
        (page([OPUS_HEAD[:18] + b"\1"], sequence=0, flags=2), "expected a mapping table of 3 bytes, found 0"),
        (page([OPUS_HEAD[:18] + b"\1\2\1\0"], sequence=0, flags=2), "1 channels cannot come from 2 streams, 1 of them coupled"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(data: bytes, message: str) -> None:
    assert message in fault(Encoding.OGG_OPUS, data)
