"""What headers promise, and what a file that was cut off has of it."""

from __future__ import annotations

import io
import struct

import pytest

from audio.streams import chunk, mux, speech, wav
from starling.audio.promises import promised
from starling.audio.recording import Recording

SOUND = speech(16_000, 10.0)
LENGTH = len(SOUND) / 16_000


def cut(data: bytes, part: float) -> tuple[float | None, float]:
    """What the header of the first ``part`` of a recording promises, and how many seconds can be heard."""
    with Recording(io.BytesIO(data[: round(len(data) * part)])) as recording:
        return recording.promised, sum(map(len, recording.blocks())) / 16_000


@pytest.mark.parametrize(
    ("container", "codec"),
    [("flac", "flac"), ("matroska", "flac"), ("webm", "libopus"), ("mp3", "libmp3lame"), ("mov", "pcm_s16le")],
)
def test_a_whole_recording_keeps_what_its_header_promises(container: str, codec: str) -> None:
    rate = 48_000 if codec == "libopus" else 16_000
    with Recording(io.BytesIO(mux(container, codec, speech(rate, 10.0), rate))) as recording:
        heard = sum(map(len, recording.blocks())) / 16_000
        assert recording.lost == 0
    if recording.promised is not None:
        assert recording.promised - heard < 0.2


@pytest.mark.parametrize(("container", "codec"), [("flac", "flac"), ("wav", "pcm_s16le"), ("mp3", "libmp3lame")])
def test_one_that_was_cut_off_does_not(container: str, codec: str) -> None:
    data = wav(SOUND.tobytes()) if container == "wav" else mux(container, codec, SOUND, 16_000)
    expected, heard = cut(data, 0.5)
    assert expected == pytest.approx(LENGTH, abs=0.2)
    assert 3.0 < heard < 7.0


@pytest.mark.parametrize("size", [0, 0x7FFF_FFFF, 0xFFFF_FFFF])
def test_who_did_not_know_the_length_promises_nothing(size: int) -> None:
    assert cut(wav(SOUND.tobytes(), size=size), 1.0)[0] is None


def test_other_chunks_and_sample_kinds_do_not_mislead() -> None:
    data = wav(bytes(32_000), channels=2, rate=8_000, before=chunk(b"LIST", b"x" * 33))
    assert promised(data, "wav", None, tracks=1) == pytest.approx(1.0)
    long = struct.pack("<QQQI", 0, 5 << 32, 0, 0)
    data = wav(b"", size=0xFFFF_FFFF, before=chunk(b"ds64", long), form=b"RF64")
    assert promised(data, "wav", None, tracks=1) == pytest.approx((5 << 32) / 32_000)
    assert promised(wav(bytes(99), code=2), "wav", 1.0, tracks=1) is None


@pytest.mark.parametrize("data", [b"", b"RIFF", wav(b"")[:20], b"RIFF" + b"\xff" * 100])
def test_a_header_that_is_none_promises_nothing(data: bytes) -> None:
    assert promised(data, "wav", 1.0, tracks=1) is None


def test_a_film_promises_nothing_of_its_sound() -> None:
    assert promised(b"", "matroska,webm", 60.0, tracks=2) is None


def ogg(part: float, codec: str = "libopus", after: bytes = b"") -> bool:
    data = mux("ogg", codec, speech(48_000, 10.0), 48_000)
    with Recording(io.BytesIO(data[: round(len(data) * part)] + after)) as recording:
        heard = sum(map(len, recording.blocks()))
        assert heard > 8_000
        return recording.unfinished


@pytest.mark.parametrize("codec", ["libopus", "flac"])
def test_an_ogg_without_its_last_page_is_known(codec: str) -> None:
    assert not ogg(1.0, codec)
    assert ogg(0.999, codec)
    assert ogg(0.6, codec)


def test_what_follows_an_ogg_and_other_files_end_as_they_do() -> None:
    assert not ogg(1.0, after=b"TAG" + bytes(125))
    with Recording(io.BytesIO(wav(SOUND.tobytes())[:20_000])) as recording:
        assert not recording.unfinished
