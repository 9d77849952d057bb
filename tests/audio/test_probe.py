from __future__ import annotations

import io
import tracemalloc
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from audio.streams import mux, speech, wav
from recordings import recording_path
from starling.audio import Recording, probe
from starling.core.errors import CorruptAudio, StarlingError, UnsupportedAudio

FORMATS = [
    ("wav", "pcm_s16le", 16_000, "audio/wav", "pcm_s16le"),
    ("wav", "pcm_mulaw", 8_000, "audio/wav", "pcm_mulaw"),
    ("wav", "pcm_alaw", 8_000, "audio/wav", "pcm_alaw"),
    ("w64", "pcm_s16le", 16_000, "audio/x-w64", "pcm_s16le"),
    ("flac", "flac", 44_100, "audio/flac", "flac"),
    ("mp3", "libmp3lame", 44_100, "audio/mpeg", "mp3float"),
    ("ipod", "aac", 44_100, "audio/mp4", "aac"),
    ("ipod", "alac", 44_100, "audio/mp4", "alac"),
    ("mp4", "aac", 44_100, "audio/mp4", "aac"),
    ("adts", "aac", 44_100, "audio/aac", "aac"),
    ("ogg", "libopus", 48_000, "audio/ogg", "opus"),
    ("ogg", "flac", 48_000, "audio/ogg", "flac"),
    ("webm", "libopus", 48_000, "audio/webm", "opus"),
    ("matroska", "flac", 44_100, "audio/x-matroska", "flac"),
    ("amr", "libopencore_amrnb", 8_000, "audio/amr", "amrnb"),
    ("3gp", "libopencore_amrnb", 8_000, "audio/mp4", "amrnb"),
    ("au", "pcm_mulaw", 8_000, "audio/basic", "pcm_mulaw"),
    ("aiff", "pcm_s16be", 44_100, "audio/aiff", "pcm_s16be"),
    ("caf", "alac", 44_100, "audio/x-caf", "alac"),
    ("mpegts", "mp2", 44_100, "video/mp2t", "mp3float"),
    ("avi", "mp2", 44_100, "video/x-msvideo", "mp2"),
    ("wv", "wavpack", 44_100, "audio/x-wavpack", "wavpack"),
    ("tta", "tta", 44_100, "audio/x-tta", "tta"),
]


@pytest.mark.parametrize(("container", "encoder", "rate", "media_type", "codec"), FORMATS)
def test_every_format_is_known_and_read(container: str, encoder: str, rate: int, media_type: str, codec: str) -> None:
    data = mux(container, encoder, speech(rate, 1.0), rate)
    found = probe(io.BytesIO(data))
    assert (found.media_type, found.codec, found.channels, found.sample_rate) == (media_type, codec, 1, rate)
    assert found.duration == pytest.approx(1.0, abs=0.06)
    with Recording(io.BytesIO(data)) as recording:
        assert sum(map(len, recording.blocks())) == pytest.approx(16_000, abs=1_600)


def film(container: str, video: str, audio: str) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        picture, sound = output.add_stream(video, rate=10), output.add_stream(audio, rate=48_000, layout="mono")
        assert isinstance(picture, av.VideoStream)
        assert isinstance(sound, av.AudioStream)
        picture.width = picture.height = 64
        picture.pix_fmt = "yuv420p"
        for _ in range(10):
            output.mux(picture.encode(av.VideoFrame(64, 64, "yuv420p")))
        frame = av.AudioFrame.from_ndarray(speech(48_000, 1.0).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, 0, Fraction(1, 48_000)
        for converted in av.AudioResampler(sound.format, "mono", 48_000).resample(frame):
            output.mux(sound.encode(converted))
        for stream in (picture, sound):
            output.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.parametrize(
    ("container", "video", "audio", "media_type"),
    [
        ("mp4", "mpeg4", "aac", "video/mp4"),
        ("matroska", "mpeg4", "aac", "video/x-matroska"),
        ("webm", "libvpx", "libopus", "video/webm"),
    ],
)
def test_the_sound_of_a_film_is_read(container: str, video: str, audio: str, media_type: str) -> None:
    data = film(container, video, audio)
    assert probe(io.BytesIO(data)).media_type == media_type
    with Recording(io.BytesIO(data)) as recording:
        assert sum(map(len, recording.blocks())) == pytest.approx(16_000, abs=1_600)


def encrypted() -> bytes:
    file = io.BytesIO()
    keys = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "00" * 16, "encryption_kid": "11" * 16}
    with av.open(file, "w", format="mp4", options=keys) as output:
        stream = output.add_stream("aac", rate=44_100, layout="mono")
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(speech(44_100, 1.0).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 44_100, 0, Fraction(1, 44_100)
        for converted in av.AudioResampler(stream.format, "mono", 44_100).resample(frame):
            output.mux(stream.encode(converted))
        output.mux(stream.encode(None))
    return file.getvalue()


def test_an_encrypted_recording_is_said_to_be_one() -> None:
    with pytest.raises(UnsupportedAudio, match="encrypted"):
        probe(io.BytesIO(encrypted()))
    with pytest.raises(UnsupportedAudio, match="encrypted"), Recording(io.BytesIO(encrypted())) as recording:
        list(recording.blocks())


@pytest.mark.parametrize("rate", [1, 999, 768_001, 2**31 - 1])
def test_a_sample_rate_that_nobody_records_at_is_refused_before_anything_is_heard(rate: int) -> None:
    data = bytearray(wav(bytes(64_000)))
    data[24:28] = rate.to_bytes(4, "little")
    with pytest.raises(UnsupportedAudio, match=f"between 1000 and 768000 Hz, got {rate}"):
        probe(io.BytesIO(data))


@pytest.mark.parametrize("rate", [0, 2**31, 2**32 - 1])
def test_a_sample_rate_that_is_none_is_refused(rate: int) -> None:
    data = bytearray(wav(bytes(64_000)))
    data[24:28] = rate.to_bytes(4, "little")
    with pytest.raises(CorruptAudio):
        probe(io.BytesIO(data))


NO_RECORDINGS = {
    "nothing": b"",
    "text": b"Dear Sir or Madam,\n" * 500,
    "web page": b"<!doctype html><html><body>Not found</body></html>" * 20,
    "PDF": b"%PDF-1.7\n" + bytes(range(256)) * 20,
    "ZIP": b"PK\x03\x04\x14\x00\x09\x00\x08\x00" + bytes(2_000),
    "picture": bytes.fromhex("89504e470d0a1a0a0000000d49484452") + bytes(1_000),
    "subtitles": b"1\n00:00:01,000 --> 00:00:02,000\nhello\n\n",
    "noise": np.random.default_rng(1).bytes(100_000),
    "film cut off": film("mp4", "mpeg4", "aac")[:3_000],
    "header alone": wav(b""),
}


@pytest.mark.parametrize("what", NO_RECORDINGS)
def test_what_is_no_recording_is_refused_in_words(what: str) -> None:
    with pytest.raises(StarlingError, match="recording") as refused:
        probe(io.BytesIO(NO_RECORDINGS[what]))
    assert isinstance(refused.value, CorruptAudio | UnsupportedAudio)


@pytest.mark.parametrize("size", [0, 0x7FFF_FFF0, 0xFFFF_FFFF])
def test_a_wrong_length_in_a_header_is_not_believed(size: int) -> None:
    assert probe(io.BytesIO(wav(speech(16_000).tobytes(), size=size))).duration == pytest.approx(0.5)


class Endless(io.RawIOBase):
    """A stream of one kind of byte after ``head``."""

    def __init__(self, head: bytes) -> None:
        self.head = head
        self.at = 0
        self.served = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self.at = offset if whence == 0 else (1 << 40) + offset if whence == 2 else self.at + offset
        return self.at

    def tell(self) -> int:
        return self.at

    def read(self, size: int = -1, /) -> bytes:
        piece = self.head[self.at : self.at + size]
        piece += bytes(size - len(piece))
        self.at += size
        self.served += size
        return piece


@pytest.mark.parametrize("head", [b"", wav(b""), b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f", b"\0\0\0\x18ftypmp42" + bytes(16)])
def test_a_look_reads_a_bounded_part_of_an_endless_file(head: bytes) -> None:
    file = Endless(head)
    tracemalloc.start()
    try:
        probe(file)  # type: ignore[arg-type]  # all that is asked of it
    except (CorruptAudio, UnsupportedAudio):
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert file.served <= (64 << 20) + (1 << 20)
    assert peak < 64 << 20


def test_what_the_file_itself_raises_is_raised() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 100_000:
                raise OSError(5, "Input/output error")
            return super().read(size)

    with pytest.raises(OSError, match="Input/output"), Recording(Broken(recording_path("two_cities").read_bytes())) as recording:
        list(recording.blocks())


def test_channels_are_kept_apart(tmp_path: Path) -> None:
    left, right = speech(16_000, 2.2), speech(16_000, 2.2)[::-1]
    path = tmp_path / "call.wav"
    path.write_bytes(wav(np.stack([left, right], axis=1).tobytes(), channels=2))
    with Recording(path) as recording:
        assert recording.channels == 2
        pieces = list(recording.channel_blocks(start=7))
    assert [len(piece) for piece, _ in pieces] == [16_000, 16_000, 3_193]
    for channel, expected in enumerate([left, right]):
        np.testing.assert_array_equal(np.concatenate([piece[channel] for piece in pieces]), expected[7:])


def test_as_many_channels_as_can_be_kept_apart() -> None:
    data = wav(np.zeros((1_600, 9), np.int16).tobytes(), channels=9)
    with Recording(io.BytesIO(data)) as recording, pytest.raises(UnsupportedAudio, match="at most 8 channels"):
        recording.channel_blocks()


@pytest.mark.parametrize(("container", "encoder", "rate"), sorted({(one[0], one[1], one[2]) for one in FORMATS}))
def test_damage_is_said_to_be_damage(container: str, encoder: str, rate: int) -> None:
    whole = mux(container, encoder, speech(rate, 0.3), rate)
    chance = np.random.default_rng(rate)
    for _ in range(40):
        data = bytearray(whole)
        for at in chance.integers(0, min(len(data), 600), 6):
            data[at] = chance.integers(0, 256)
        del data[int(chance.integers(len(data) // 2, len(data) + 1)) :]
        try:
            probe(io.BytesIO(bytes(data)))
            with Recording(io.BytesIO(bytes(data))) as recording:
                for _ in zip(recording.blocks(), range(100), strict=False):
                    pass
        except (CorruptAudio, UnsupportedAudio):
            continue


def test_an_encoding_that_nobody_knows_is_no_crash() -> None:
    with pytest.raises(UnsupportedAudio, match="known encoding"):
        probe(io.BytesIO(wav(speech(16_000).tobytes(), code=0x7A7A)))
